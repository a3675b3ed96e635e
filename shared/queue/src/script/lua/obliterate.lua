--[[ Deletes a page of the queue, and with the last one the queue itself.
KEYS    1-15 the queue's (15: this call's receipt), then others of the queue's own
ARGV    JSON {prefix, now, events: bool, count, force: bool}
Answer  {commands, {code, jobs}}: 1 there is more, 0 all is gone, -1 not paused, -2 jobs are active
Cost    about 21, and per job 1; more for jobs with parents or deduplication
Like BullMQ it leaves the limiter, parents that wait for children, and other jobs' deduplication. ]]
-- @include "commands"
-- @include "queue"
-- @include "settings"
-- @include "receipt"
-- @include "removeJob"
readSettings()
local before = readReceipt()
if before then return {executed, before} end
if not settings.paused then return {executed, {-1, 0}} end
if not call.force and run('LLEN', active) > 0 then return {executed, {-2, 0}} end
local left, jobs = call.count, 0
local function discardAll(found)
  for _, id in ipairs(found) do
    local job = readAny('HMGET', prefix .. id, 'parentKey', 'deid') or {}
    discardJob(id, job[1], job[2])
  end
  left, jobs = left - #found, jobs + #found
end
local function emptyList(key)
  if left <= 0 then return end
  local found = run('LRANGE', key, 0, int(left - 1))
  if #found == 0 then return end
  if key == active then
    for _, id in ipairs(found) do doom(prefix .. id .. ':lock') end
  end
  discardAll(found)
  run('LTRIM', key, #found, -1)
end
-- `recordsOf`: the prefix of records that are no jobs.
local function emptySet(key, recordsOf)
  if left <= 0 then return end
  local found = run('ZRANGE', key, 0, int(left - 1))
  if #found == 0 then return end
  if recordsOf then
    for _, id in ipairs(found) do doom(recordsOf .. id) end
    left = left - #found
  else
    discardAll(found)
  end
  many('ZREM', key, found)
end
emptyList(active)
emptySet(delayed)
emptySet(prefix .. 'repeat', prefix .. 'repeat:')
emptySet(completed)
emptyList(wait)
emptyList(paused)
emptySet(prioritized)
emptySet(failed)
if left > 0 then
  for _, name in ipairs({'events', 'delay', 'stalled-check', 'stalled', 'id', 'pc', 'marker', 'meta',
    'metrics:completed', 'metrics:completed:data', 'metrics:failed', 'metrics:failed:data'}) do doom(prefix .. name) end
end
sweep()
return answerOnce({left > 0 and 0 or 1, jobs})
