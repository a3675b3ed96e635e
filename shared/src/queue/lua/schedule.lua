--[[ Makes a job scheduler, or gives one that there is another rule or template, and puts its next job in
place of the one that waits.
KEYS  1-15 the queue's (15: this call's receipt),
      then repeat, repeat:<scheduler>, the hash of the job at `next`
ARGV  JSON {prefix, now, events: bool, again, scheduler, name, data, opts, priority, lifo, deid?, fields:
      [field, value, ...] of its record, next?: ms, every?: ms, offset?: ms, start?: ms}
Answer {commands, {code, job id, delay}}: 1 done; -10 a job of its next time exists; -11 jobs of its next
      32 times exist. Only after 1 was anything written.
Cost  about 14, two more for events, 3 where a job is replaced ]]
local prev = tonumber(r('ZSCORE', all, a.scheduler) or nil)
local old = r('HMGET', record, 'every', 'offset', 'ic')
local at, offset, same = a.next, a.offset or 0, false
if a.every then
  same = prev and tonumber(old[1] or nil) == a.every
  at, offset = slot(same and prev or nil, a.every, offset, a.start)
end
-- The job of the next time so far, if it still waits, and where.
local waiting, list, set = prev and nameOf(prev), nil, nil
if waiting and r('EXISTS', P .. waiting) == 1 then
  for _, key in ipairs({delayed, prioritized}) do
    if r('ZSCORE', key, waiting) then set = key end
  end
  for _, key in ipairs({wait, paused}) do
    if not set and r('LPOS', key, waiting) then list = key end
  end
end
local found = set or list
if found and same then at = prev end
local function taken()
  local id = nameOf(at)
  return not (found and id == waiting) and r('EXISTS', P .. id) == 1
end
if taken() then
  if not a.every then return {calls, {-10}} end
  local steps = 0
  repeat
    at, steps = at + a.every, steps + 1
    if steps > 32 then return {calls, {-11}} end
  until not taken()
end
if found then
  local key = P .. waiting
  undedup(P, waiting, r('HGET', key, 'deid'))
  if set then r('ZREM', set, waiting) else r('LREM', list, 1, waiting) end
  del(six(key, {}))
end
local fields = a.fields
local kept = a.offset or (not found and offset) or tonumber(old[2] or nil)
if kept then push(fields, 'offset', int(kept)) end
push(fields, 'ic', old[3] or 1)
r('ZADD', all, int(at), a.scheduler)
r('DEL', record)
r('HSET', record, unpack(fields))
return done({1, produce(at, a.name, a.data)})
