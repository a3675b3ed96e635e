--[[ Puts the next job of a scheduler in place while its current one is being processed, or once that is
gone. Without this the schedule would end.
KEYS    1-15 the queue's, then repeat, repeat:<scheduler>, the hashes of `job` and of the one at `next`
ARGV    JSON {prefix, now, events: bool, scheduler, stem, bare: bool, job, name, data, opts, priority, lifo,
        deid?, next?: ms, every?: ms, offset?: ms, gone: bool, same: bool}; stem is the job's id without the
        time at its end; bare is a repeatable job of before schedulers, of which there is no record; name,
        data, every and offset are the job's own; gone: the current job is not there any more, or has
        ended; same: the next one takes its time, which is still to come
Answer  {commands, {code, job id, delay}}: 1 put in place; 2 it was there already; 0 this job is not the
        scheduler's current one, or the rule has no next time
Cost    3 for a job that is not the current one, else about 11, two more for events
Runs again safely: after the first run the job is not the current one any more. ]]
-- @include "commands"
-- @include "queue"
-- @include "settings"
-- @include "schedule"
readSettings()
local previous = tonumber(run('ZSCORE', schedulers, call.scheduler) or nil)
if not previous or call.job ~= idAt(previous) then return {executed, {0}} end
local own = run('HMGET', record, 'name', 'data', 'every', 'offset', 'ic')
local name, data, isScheduler = own[1], own[2], own[5]
local at, every = call.next, not call.bare and (tonumber(own[3] or nil) or call.every)
if call.same then at = previous
elseif every then at = nextSlot(previous, every, tonumber(own[4] or nil) or call.offset or 0) end
if not at then return {executed, {0}} end
local id = idAt(at)
if run('EXISTS', prefix .. id) == 1 then
  if tellsAll then emitTrimming('duplicated', 'jobId', id) end
  return {executed, {2, id, '0'}}
end
-- A record without data is one of a scheduler whose data is {}, or an old one, which has none at all.
if not data and not call.bare and (isVersionFive() or not isScheduler) and call.data ~= '{}' then
  data = call.data
  run('HSET', record, 'data', data)
end
local made, delay = produceNext(at, name or call.name, data or call.bare and call.data or '{}')
-- It goes on, whether its jobs can be counted or not.
if not call.bare and not call.same then try('HINCRBY', record, 'ic', 1) end
if isVersionFive() and not call.bare and not call.gone then try('HSET', prefix .. call.job, 'nrjid', made) end
return {executed, {1, made, delay}}
