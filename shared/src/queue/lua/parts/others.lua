--[[ Part: the ways other than completion in which a claimed job ends. ]]
local released, promoted = {}, false
-- Back to its place, or to the front of it. Its priority may be another one than when it was claimed.
local function back(j, front)
  local priority = tonumber(try('HGET', P .. j.id, 'priority')) or 0
  -- What is not equal to itself is no number.
  if priority == 0 or priority ~= priority then push((front or j.lifo) and rights or lefts, j.id)
  elseif front then r('ZADD', prioritized, int(priority * 4294967296), j.id)
  else toPrioritized(j.id, priority) end
  if every then event(true, 'waiting', 'jobId', j.id, 'prev', 'active') end
end
local function other(j, key)
  local fields = {'failedReason', j.value, 'stacktrace', j.stack}
  if j.act == 'fail' then
    if j.keep.count ~= 0 then r('HDEL', key, 'defa') end
    finish(j, key, failed, fields)
    if final then event(false, 'failed', 'jobId', j.id, 'failedReason', j.value, 'prev', 'active') end
    if every and j.atm >= j.attempts then
      event(false, 'retries-exhausted', 'jobId', j.id, 'attemptsMade', int(j.atm))
    end
  elseif j.act == 'retry' then
    push(fields, 'atm', int(j.atm))
    if j.delay ~= 0 then push(fields, 'delay', j.delay .. '') end
    r('HSET', key, unpack(fields))
    if j.delay ~= 0 then
      local due = now + math.max(j.delay, 0)
      toDelayed(j.id, due)
      if every then event(true, 'delayed', 'jobId', j.id, 'delay', due) end
      return
    end
    -- What fell due meanwhile goes before it.
    if not promoted then
      promoted = true
      flush()
      pcall(promote)
    end
    back(j)
  else
    push(released, j)
  end
end
-- The last one pushed is the next to run, so the first of the batch goes last.
local function restore()
  for i = #released, 1, -1 do back(released[i], true) end
  return #released > 0
end
