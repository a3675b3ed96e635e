--[[ Part: what a claim looks through first: its own earlier run, and delayed jobs that fell due. Only
calls that ask for either carry it. ]]
-- The jobs that an earlier run with this token took, when its answer was lost.
local function mine(token)
  local found, all = {}, r('LRANGE', active, 0, -1)
  for from = 1, #all, 1000 do
    local locks = {}
    for i = from, math.min(from + 999, #all) do push(locks, P .. all[i] .. ':lock') end
    for i, held in ipairs(r('MGET', unpack(locks))) do
      if held == token then table.insert(found, 1, read(all[from + i - 1])) end
    end
  end
  return found
end
local function promote()
  local due = r('ZRANGEBYSCORE', delayed, 0, int((now + 1) * 4096 - 1), 'LIMIT', 0, 1000)
  if #due == 0 then return false end
  many('ZREM', delayed, due)
  for _, id in ipairs(due) do
    local priority = r('HGET', P .. id, 'priority')
    if priority or r('EXISTS', P .. id) == 1 then
      if (tonumber(priority) or 0) > 0 then toPrioritized(id, priority) else push(lefts, id) end
      if a.events == 'all' then event(false, 'waiting', 'jobId', id, 'prev', 'delayed') end
      r('HSET', P .. id, 'delay', 0)
    end
  end
  flush()
  return true
end
