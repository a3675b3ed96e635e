--[[ Lets delayed jobs that fell due wait for nothing but their turn, 1,000 a call.
Keys    delayed, their hashes, those of placeJob, events
Answer  promoteDue(): whether there were any. Ids without a hash are dropped, and noted in `missing`.
Cost    1; where there are any 2 a job, one more with events, and those of placeJob
An id leaves `delayed` once it stands in its new place. ]]
-- @include "placeJob"
-- @include "emit"
-- @include "readJob"
local missing = {}
local function promoteDue()
  local found = run('ZRANGEBYSCORE', delayed, 0, int(scoreEndOf(now)), 'LIMIT', 0, 1000)
  if #found == 0 then return false end
  local promoted = {}
  for _, id in ipairs(found) do
    local job = readAny('HMGET', prefix .. id, 'priority', 'finishedOn', 'name', 'data')
    if not (job and (job[1] or job[2] or job[3] or job[4])) then push(missing, id)
    elseif not hasEnded(id, job[2]) then
      if (tonumber(job[1]) or 0) > 0 then placePrioritized(id, job[1]) else placeWaiting(id) end
      push(promoted, id)
    end
  end
  placeNoted()
  local gone = {}
  for _, id in ipairs(found) do
    if not unplaced[id] then push(gone, id) end
  end
  attempt(many, 'ZREM', delayed, gone)
  for _, id in ipairs(promoted) do
    if not unplaced[id] then
      if tellsAll then emit('waiting', 'jobId', id, 'prev', 'delayed') end
      try('HSET', prefix .. id, 'delay', 0)
    end
  end
  return true
end
