--[[ Removes one job in any state, and its children first.
KEYS    1-15 the queue's (15: this call's receipt), then the job's own, waiting-children, repeat
ARGV    JSON {prefix, now, events: bool, id}
Answer  {commands, {code, state}}: 1 removed; -1 no such job; 0 it or an open child is locked; -8 it is
        the next job of a scheduler. Only after 1 was anything written.
Cost    about 17; for each child 12 more ]]
-- @include "commands"
-- @include "queue"
-- @include "settings"
-- @include "receipt"
-- @include "removeJob"
readSettings()
local before = readReceipt()
if before then return {executed, before} end
local LISTS, SETS = {'wait', 'paused', 'active'}, {'completed', 'waiting-children', 'delayed', 'failed', 'prioritized'}
local function isLocked(key)
  if run('EXISTS', key .. ':lock') == 1 then return true end
  for _, child in ipairs(run('SMEMBERS', key .. ':dependencies')) do
    if isLocked(child) then return true end
  end
end
local function leaveState(base, id)
  for _, set in ipairs(SETS) do
    if run('ZREM', base .. set, id) == 1 then return set end
  end
  for _, list in ipairs(LISTS) do
    if run('LREM', base .. list, 1, id) == 1 then return list end
  end
  return 'unknown'
end
local function remove(base, id, parentKey)
  local key = base .. id
  detachChild(key, parentKey or run('HGET', key, 'parentKey'), false)
  local keys = keysOfJob(key)
  local _, _, dependencies, processed, failedChildren, unsuccessful = unpack(keys)
  if run('EXISTS', dependencies, processed, failedChildren, unsuccessful) > 0 then
    for _, children in ipairs({run('HKEYS', processed), run('HKEYS', failedChildren),
      run('ZRANGE', unsuccessful, 0, -1), run('SMEMBERS', dependencies)}) do
      for _, child in ipairs(children) do
        local home, own = cutKey(child)
        remove(home, own, key)
      end
    end
  end
  local state = leaveState(base, id)
  forgetHolder(base, id, run('HGET', key, 'deid'))
  local isGone = run('DEL', unpack(keys)) > 0
  if isGone and tellsAll then
    local most = base == prefix and settings.maxEvents or run('HGET', base .. 'meta', 'opts.maxLenEvents') or 10000
    try('XADD', base .. 'events', 'MAXLEN', '~', most, '*', 'event', 'removed', 'jobId', id, 'prev', state)
  end
  return (isGone or state ~= 'unknown') and 1 or -1, state
end
if isNextOfScheduler(call.id, run('HGET', prefix .. call.id, 'rjk')) then return {executed, {-8, ''}} end
if isLocked(prefix .. call.id) then return {executed, {0, ''}} end
return answerOnce({remove(prefix, call.id)})
