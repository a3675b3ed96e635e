--[[ Gives jobs whose owner died back to the queue: BullMQ's two-pass rule.
KEYS    1-15 the queue's; 16 stalled-check, 17 repeat
ARGV    JSON {prefix, now, events: off|final|all, intervalMs, maxStalled}
Answer  {commands, recovered ids, failed ids, missing ids}; the failed ones carry `defa` and are failed by whoever
        claims them next; the missing ones have no hash, and are dropped
Cost    2 when another peer checked within the interval, 3 where a concurrency is set; else about 8; where not all
        that were active at the last pass are locked 1 for each of those, and a stalled job about 5 more
A job waits again before it leaves `active`, and one that cannot is looked at again at the next pass. One that has
ended is dropped: its removal was refused. ]]
-- @include "commands"
-- @include "queue"
-- @include "settings"
-- @include "placeJob"
-- @include "readJob"
-- @include "emit"
readSettings()
if run('EXISTS', KEYS[16]) == 1 then return {executed, {}, {}, {}} end
run('SET', KEYS[16], nowText, 'PX', int(call.intervalMs))
if tellsFinal then try('XTRIM', events, 'MAXLEN', '~', settings.maxEvents) end
local all, suspects = run('LRANGE', active, 0, -1), run('SMEMBERS', stalled)
-- Whether each of them is locked still, as most are whose owner works: one question for all, where they are not
-- too many for one.
local function areAllLocked()
  if #suspects == 0 or #suspects > 5000 then return #suspects == 0 end
  local locks = {}
  for place, id in ipairs(suspects) do locks[place] = prefix .. id .. ':lock' end
  return run('EXISTS', unpack(locks)) == #suspects
end
local unlocked, isActive = areAllLocked() and {} or suspects, {}
if #unlocked > 0 then
  for _, id in ipairs(all) do isActive[id] = true end
end

-- {id, count, scheduler} of the jobs that stalled; ids that only leave.
local stalledJobs, dropped, missing = {}, {}, {}
for _, id in ipairs(unlocked) do
  local key = prefix .. id
  if isActive[id] and run('EXISTS', key .. ':lock') == 0 then
    local job = readAny('HMGET', key, 'stc', 'rjk', 'finishedOn', 'name', 'data')
    -- BullMQ before version 5 had markers among the jobs.
    if string.sub(id, 1, 2) == '0:' then push(dropped, id)
    elseif not job or not (job[1] or job[2] or job[3] or job[4] or job[5] or run('EXISTS', key) == 1) then
      push(dropped, id)
      push(missing, id)
    elseif hasEnded(id, job[3]) then push(dropped, id)
    else push(stalledJobs, {id = id, count = (tonumber(job[1] or nil) or 0) + 1, scheduler = job[2]}) end
  end
end
-- What leaves makes room for those that come back.
room = room + #stalledJobs + #dropped
blocked = settings.paused or room <= 0
for _, job in ipairs(stalledJobs) do placeWaiting(job.id, true) end
placeNoted()

local recovered, doomedIds, isGone = {}, {}, {}
local function leaveActive(id)
  isGone[id] = true
  attempt(run, 'LREM', active, 0, id)
end
for _, id in ipairs(dropped) do leaveActive(id) end
for _, job in ipairs(stalledJobs) do
  local id, key = job.id, prefix .. job.id
  if not unplaced[id] then
    leaveActive(id)
    push(recovered, id)
    local fields = {'stc', int(job.count)}
    if job.count > call.maxStalled then
      -- The job of a live scheduler may stall without end.
      local isScheduled = job.scheduler and (run('EXISTS', prefix .. 'repeat:' .. job.scheduler) == 1
        or run('ZSCORE', prefix .. 'repeat', job.scheduler))
      if not isScheduled then
        push(fields, 'defa', 'job stalled more than allowable limit')
        push(doomedIds, id)
      end
    end
    try('HSET', key, unpack(fields))
    if tellsAll then emit('waiting', 'jobId', id, 'prev', 'active') end
    if tellsFinal then emit('stalled', 'jobId', id) end
  end
end
local rest = all
if next(isGone) then
  rest = {}
  for _, id in ipairs(all) do
    if not isGone[id] then push(rest, id) end
  end
end
if #suspects > 0 then attempt(run, 'DEL', stalled) end
attempt(many, 'SADD', stalled, rest)
if refused then return refuse(refused) end
return {executed, recovered, doomedIds, missing}
