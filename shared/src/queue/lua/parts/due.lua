--[[ Part: delayed jobs that fell due wait from now on. Answers whether there were any; they are in
the queue after the next flush(). Ids without a hash are dropped, and noted in `missing`. ]]
local missing = {}
local function promote()
  local due = r('ZRANGEBYSCORE', delayed, 0, int((now + 1) * 4096 - 1), 'LIMIT', 0, 1000)
  if #due == 0 then return false end
  many('ZREM', delayed, due)
  for _, id in ipairs(due) do
    local priority = try('HGET', P .. id, 'priority')
    if priority or r('EXISTS', P .. id) == 1 then
      if (tonumber(priority) or 0) > 0 then toPrioritized(id, priority) else push(lefts, id) end
      if every then event(false, 'waiting', 'jobId', id, 'prev', 'delayed') end
      try('HSET', P .. id, 'delay', 0)
    else
      push(missing, id)
    end
  end
  return true
end
