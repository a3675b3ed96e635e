--[[ Moves a page of finished or delayed jobs to `wait`, oldest first.
KEYS    1-15 the queue's (15: this call's receipt)
ARGV    JSON {prefix, now, events: bool, state: failed|completed|delayed, until, count}
Answer  {commands, {looked at, id, id, ...}}; ids without a job are dropped from the state
Cost    about 8; per finished job 1 (2 on BullMQ 6, for its parent), per delayed one 1; one more with events
As in BullMQ their priorities are ignored; version 5 does not tell the parents. ]]
-- @include "commands"
-- @include "queue"
-- @include "settings"
-- @include "receipt"
-- @include "reviveJob"
readSettings()
local before = readReceipt()
if before then return {executed, before} end
local set, moved, leaving = prefix .. call.state, {}, {}
local found = run('ZRANGEBYSCORE', set, 0, call['until'], 'LIMIT', 0, int(call.count))
for _, id in ipairs(found) do
  local key, isAlive = prefix .. id, nil
  if call.state == 'delayed' then isAlive = run('EXISTS', key) == 1
  else
    -- What is no hash is no job.
    local fields = readAny('HDEL', key, 'finishedOn', 'processedOn', RESULT[call.state])
    isAlive = fields and (fields > 0 or run('EXISTS', key) == 1)
  end
  if isAlive then
    push(moved, id)
    placeWaiting(id)
    if tellsAll then emitTrimming('waiting', 'jobId', id, 'prev', call.state) end
  end
end
placeNoted()
for _, id in ipairs(found) do
  if not unplaced[id] then push(leaving, id) end
end
if #leaving > 0 then many('ZREM', set, leaving) end
if call.state ~= 'delayed' and not isVersionFive() then
  for _, id in ipairs(moved) do
    local key = prefix .. id
    if not unplaced[id] then rejoinParent(key, run('HGET', key, 'parentKey'), call.state) end
  end
end
return answerOnce({#found, unpack(moved)})
