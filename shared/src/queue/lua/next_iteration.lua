--[[ Puts the next job of a scheduler in place while its current one is being processed. Without this the
schedule would end.
KEYS  1-15 the queue's, then repeat, repeat:<scheduler>, the hashes of `job` and of the one at `next`
ARGV  JSON {prefix, now, events: bool, scheduler, stem, bare: bool, job, name, data, opts, priority, lifo,
      deid?, next?: ms, every?: ms, offset?: ms}; stem is the job's id without the time at its end; bare is
      a repeatable job of before schedulers, of which there is no record; name, data, every and offset are
      the job's own
Answer {commands, {code, job id, delay}}: 1 put in place; 2 it was there already; 0 this job is not the
      scheduler's current one, or the rule has no next time
Cost  3 for a job that is not the current one, else about 11, two more for events
Runs again safely: after the first run the job is not the current one any more. ]]
local prev = tonumber(r('ZSCORE', all, a.scheduler) or nil)
if not prev or a.job ~= nameOf(prev) then return {calls, {0}} end
local own = r('HMGET', record, 'name', 'data', 'every', 'offset', 'ic')
local at, every = a.next, not a.bare and (tonumber(own[3] or nil) or a.every)
if every then at = slot(prev, every, tonumber(own[4] or nil) or a.offset or 0) end
if not at then return {calls, {0}} end
local id = nameOf(at)
if r('EXISTS', P .. id) == 1 then
  if a.events then event(true, 'duplicated', 'jobId', id) end
  return {calls, {2, id, '0'}}
end
-- A record without data is one of a scheduler whose data is {}, or an old one, which has none at all.
local data = own[2]
if not data and not a.bare and (five or not own[5]) and a.data ~= '{}' then
  data = a.data
  r('HSET', record, 'data', data)
end
r('ZADD', all, int(at), a.scheduler)
-- The schedule goes on, whether its jobs can be counted or not.
if not a.bare then try('HINCRBY', record, 'ic', 1) end
local made, delay = produce(at, own[1] or a.name, data or a.bare and a.data or '{}')
if five and not a.bare then r('HSET', P .. a.job, 'nrjid', made) end
return {calls, {1, made, delay}}
