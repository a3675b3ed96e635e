--[[ Deletes a page of the jobs of one state that are old enough. The pages of one window (BullMQ's call)
follow each other; `skip` jobs were looked at and stay.
KEYS    1-15 the queue's (15: this call's receipt), then waiting-children, repeat
ARGV    JSON {prefix, now, events: bool, state, before: ms, skip, size, left, gone}; left: of this
        window, this page included; gone: deleted in this window so far
Answer  {commands, {looked at, id, id, ...}}
Cost    about 6, and per job 1; more for jobs with parents, deduplication or a scheduler
A finished job's age counts from its end, another's from when it was last taken, else added. Active
jobs go only when unlocked, the next job of a scheduler never. One whose parent cannot be told stays, and the
call fails in the end. ]]
-- @include "commands"
-- @include "queue"
-- @include "settings"
-- @include "receipt"
-- @include "removeJob"
readSettings()
local before = readReceipt()
if before then return {executed, before} end
-- Which of finishedOn, processedOn and timestamp tell the age of a job in this state.
local AGES = {wait = {4, 5, 6}, paused = {4, 5, 6}, active = {4, 5, 6}, delayed = {5, 6}, prioritized = {6}}
local key, ages = prefix .. call.state, AGES[call.state]
local isList = call.state == 'wait' or call.state == 'paused' or call.state == 'active'
local page
-- The right end of a list is its oldest.
if isList then page = run('LRANGE', key, int(-call.skip - call.size), int(-call.skip - 1))
elseif ages then page = run('ZRANGE', key, int(call.skip), int(call.skip + call.size - 1))
else page = run('ZRANGEBYSCORE', key, 0, int(call.before), 'LIMIT', int(call.skip), int(call.size)) end
local locks, gone, places = {}, {}, {}
if call.state == 'active' and #page > 0 then
  for _, id in ipairs(page) do push(locks, prefix .. id .. ':lock') end
  locks = run('MGET', unpack(locks))
end
for place, id in ipairs(page) do
  if not locks[place] then
    local job = readAny('HMGET', prefix .. id, 'parentKey', 'deid', 'rjk', 'finishedOn', 'processedOn', 'timestamp') or {}
    local at
    for _, field in ipairs(ages or {}) do at = at or tonumber(job[field] or nil) end
    local isOld = not ages or (not (at and at > call.before) and not isNextOfScheduler(id, job[3]))
    if isOld and discardJob(id, job[1], job[2]) then
      push(gone, id)
      push(places, place - 1 - #page - call.skip)
    end
  end
end
if #gone > 0 then
  if not isList then many('ZREM', key, gone)
  elseif #gone == #page and call.skip == 0 then run('LTRIM', key, 0, int(-#page - 1))
  else
    for _, place in ipairs(places) do run('LSET', key, int(place), '') end
    run('LREM', key, int(-#gone), '')
  end
  sweep()
end
if tellsAll and (#page < call.size or call.size >= call.left) then
  try('XADD', events, '*', 'event', 'cleaned', 'count', int(call.gone + #gone))
end
return answerOnce({#page, unpack(gone)})
