--[[ Looks through a page of the failed jobs, and moves those to `wait` whose reason has all parts of a text.
KEYS    1-15 the queue's (15: this call's receipt)
ARGV    JSON {prefix, now, events: bool, cursor, until, count, parts: texts in their order}
Answer  {commands, {moved, cursor}}; cursor '0': that was the last page
Cost    about 8; per failed job 1, per moved one 1 more (2 on BullMQ 6, for its parent), one more with events
A scan sees every job that stays failed from its first page to its last, whatever comes and goes meanwhile.
What fails after `until` is left alone, so that no job is retried twice.
As in BullMQ's retry of all jobs their priorities are ignored; version 5 does not tell the parents. ]]
-- @include "commands"
-- @include "queue"
-- @include "settings"
-- @include "receipt"
-- @include "reviveJob"
-- Whether the parts stand in it in their order, with anything between them.
local function hasAllParts(reason)
  local at = 1
  for _, part in ipairs(call.parts) do
    local _, last = string.find(reason, part, at, true)
    if not last then return false end
    at = last + 1
  end
  return true
end
readSettings()
local before = readReceipt()
if before then return {executed, before} end
local found = run('ZSCAN', failed, call.cursor, 'COUNT', int(call.count))
local page, moved, leaving = {}, {}, {}
for place = 1, #found[2], 2 do
  local failedAt = tonumber(found[2][place + 1])
  if failedAt <= call['until'] then push(page, {id = found[2][place], failedAt = failedAt}) end
end
-- A scan has no order of its own: what failed first runs first.
table.sort(page, function(one, other) return one.failedAt < other.failedAt end)
for _, entry in ipairs(page) do
  local id = entry.id
  -- What is no hash is no job.
  local job = readAny('HMGET', prefix .. id, 'failedReason', 'parentKey')
  if job and job[1] and hasAllParts(job[1]) then
    push(moved, {id = id, parentKey = job[2]})
    placeWaiting(id)
    if tellsAll then emitTrimming('waiting', 'jobId', id, 'prev', 'failed') end
  end
end
placeNoted()
for _, job in ipairs(moved) do
  if not unplaced[job.id] then push(leaving, job.id) end
end
if #leaving > 0 then many('ZREM', failed, leaving) end
-- Only then: a call that is asked again finds by its reason what it could not take away.
for _, job in ipairs(moved) do
  if not unplaced[job.id] then
    try('HDEL', prefix .. job.id, 'finishedOn', 'processedOn', 'failedReason')
    if not isVersionFive() then rejoinParent(prefix .. job.id, job.parentKey, 'failed') end
  end
end
return answerOnce({#leaving, found[1]})
