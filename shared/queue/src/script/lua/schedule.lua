--[[ Makes a job scheduler, or gives one that there is another rule or template, and puts its next job in
place of the one that waits.
KEYS    1-15 the queue's (15: this call's receipt), then repeat, repeat:<scheduler>, the hash of the job at `next`
ARGV    JSON {prefix, now, events: bool, scheduler, name, data, opts, priority, lifo, deid?, fields:
        [field, value, ...] of its record, next?: ms, every?: ms, offset?: ms, start?: ms}
Answer  {commands, {code, job id, delay}}: 1 done; -10 a job of its next time exists; -11 jobs of its next
        32 times exist. Only after 1 was anything written.
Cost    about 15, two more for events, 3 where a job is replaced ]]
-- @include "commands"
-- @include "queue"
-- @include "settings"
-- @include "receipt"
-- @include "removeJob"
-- @include "schedule"
readSettings()
local before = readReceipt()
if before then return {executed, before} end
local previous = tonumber(run('ZSCORE', schedulers, call.scheduler) or nil)
local old = run('HMGET', record, 'every', 'offset', 'ic')
local at, offset, isSameRule = call.next, call.offset or 0, false
if call.every then
  isSameRule = previous and tonumber(old[1] or nil) == call.every
  at, offset = nextSlot(isSameRule and previous or nil, call.every, offset, call.start)
end
-- The job of the next time so far, if it still waits, and where.
local waiting, list, set = previous and idAt(previous), nil, nil
if waiting and run('EXISTS', prefix .. waiting) == 1 then
  for _, key in ipairs({delayed, prioritized}) do
    if run('ZSCORE', key, waiting) then set = key end
  end
  for _, key in ipairs({wait, paused}) do
    if not set and run('LPOS', key, waiting) then list = key end
  end
end
local isWaiting = set or list
if isWaiting and isSameRule then at = previous end
local function isTaken()
  local id = idAt(at)
  return not (isWaiting and id == waiting) and run('EXISTS', prefix .. id) == 1
end
if isTaken() then
  if not call.every then return {executed, {-10}} end
  local steps = 0
  repeat
    at, steps = at + call.every, steps + 1
    if steps > 32 then return {executed, {-11}} end
  until not isTaken()
end
-- The record before the job: a schedule that has one is put back by the next tick, whatever is refused here.
local fields, isWritten, leftOver = call.fields, {}, {}
local kept = call.offset or (not isWaiting and offset) or tonumber(old[2] or nil)
if kept then push(fields, 'offset', int(kept)) end
push(fields, 'ic', old[3] or 1)
for place = 1, #fields, 2 do isWritten[fields[place]] = true end
for _, field in ipairs({'tz', 'limit', 'pattern', 'startDate', 'endDate', 'every', 'offset', 'opts', 'data'}) do
  if not isWritten[field] then push(leftOver, field) end
end
run('HSET', record, unpack(fields))
if #leftOver > 0 then run('HDEL', record, unpack(leftOver)) end
if isWaiting then
  local key = prefix .. waiting
  forgetHolder(prefix, waiting, run('HGET', key, 'deid'))
  if set then run('ZREM', set, waiting) else run('LREM', list, 1, waiting) end
  run('DEL', unpack(keysOfJob(key)))
end
return answerOnce({1, produceNext(at, call.name, call.data)})
