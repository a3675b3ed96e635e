--[[ Part: the ways other than completion in which a claimed job ends. ]]
local front = {}
local function other(j, key)
  if j.act == 'fail' then
    if j.keep.count ~= 0 then r('HDEL', key, 'defa') end
    finish(j, key, failed, {'failedReason', j.value, 'stacktrace', j.stack})
    if final then event(false, 'failed', 'jobId', j.id, 'failedReason', j.value, 'prev', 'active') end
    if a.events == 'all' and j.atm >= j.attempts then
      event(false, 'retries-exhausted', 'jobId', j.id, 'attemptsMade', int(j.atm))
    end
    return
  end
  if j.act == 'retry' then
    local fields = {'failedReason', j.value, 'stacktrace', j.stack, 'atm', int(j.atm)}
    if j.delay > 0 then push(fields, 'delay', int(j.delay)) end
    r('HSET', key, unpack(fields))
    if j.delay > 0 then
      toDelayed(j.id, now + j.delay)
      if a.events == 'all' then event(true, 'delayed', 'jobId', j.id, 'delay', int(now + j.delay)) end
      return
    end
    if j.priority > 0 then toPrioritized(j.id, j.priority) else push(j.lifo and rights or lefts, j.id) end
  elseif j.priority > 0 then
    r('ZADD', prioritized, int(j.priority * 4294967296), j.id)
  else
    table.insert(front, 1, j.id)
  end
  if a.events == 'all' then event(true, 'waiting', 'jobId', j.id, 'prev', 'active') end
end
-- The last one pushed is the next to run, so the first of the batch goes last.
local function restore()
  for _, id in ipairs(front) do push(rights, id) end
end
