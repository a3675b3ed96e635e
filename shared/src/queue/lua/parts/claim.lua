--[[ Part: moves up to `c.count` jobs from waiting to active under one lock token.
c = {token, count, lockMs, max?, duration?, wait: bool, prioritized: bool, delayed: bool, again: bool}
Answers {jobs, missing, status, ms}: a job is {id, field values in the order of FIELDS}; missing are
ids without a hash, dropped; status says why nothing more was claimed; ms belongs to status. ]]
local function claim(c)
  if c.again then
    local found = mine(c.token)
    if #found > 0 then return found, {}, 'claimed', 0 end
  end
  if c.delayed and promote() then
    flush()
    c.wait, c.prioritized = true, true
  end
  local count, max = math.min(c.count, room), tonumber(m[3]) or c.max
  if max then
    local used = tonumber(r('GET', limiter) or 0) or 0
    if used >= max then
      local ms = r('PTTL', limiter)
      if ms > 0 then return {}, missing, 'limited', ms end
      if ms == 0 then r('DEL', limiter) end
      used = 0
    end
    count = math.min(count, max - used)
  end
  count = math.ceil(count)
  if blocked then return {}, missing, m[1] and 'paused' or 'full', 0 end
  local taken, open = {}, c.wait and count or 0
  -- BullMQ before version 5 kept its markers in here. What stands behind them comes in their place.
  while open > 0 do
    local popped = r('RPOP', wait, int(open)) or {}
    open = 0
    for _, id in ipairs(popped) do
      if string.sub(id, 1, 2) == '0:' then open = open + 1 else push(taken, id) end
    end
  end
  if c.prioritized and #taken < count then
    local popped = r('ZPOPMIN', prioritized, int(count - #taken))
    if #popped / 2 < count - #taken then r('DEL', pc) end
    for i = 1, #popped, 2 do push(taken, popped[i]) end
  end
  local jobs, alive, counted = {}, {}, 0
  for _, id in ipairs(taken) do
    local job = read(id)
    if job then
      push(jobs, job)
      push(alive, id)
      if not job[14] then counted = counted + 1 end
    else
      push(missing, id)
    end
  end
  if #alive > 0 then
    many('LPUSH', active, alive)
    local lockMs = int(c.lockMs)
    if max and counted > 0 and try('INCRBY', limiter, counted) == counted then
      try('PEXPIRE', limiter, int(math.floor(math.abs(tonumber(c.duration or m[4]) or 0))))
    end
    for _, job in ipairs(jobs) do
      local key = P .. job[1]
      r('SET', key .. ':lock', c.token, 'PX', lockMs)
      r('HSET', key, 'processedOn', ts, 'ats', int((tonumber(job[7]) or 0) + 1))
      if every then event(false, 'active', 'jobId', job[1], 'prev', 'waiting') end
    end
    -- One marker wakes one sleeping worker; the claim is what wakes the next.
    r('ZADD', marker, 0, '0')
    return jobs, missing, 'claimed', 0
  end
  -- Nor does what was dropped put the woken one to sleep for good: jobs may wait behind it.
  if #missing > 0 and r('EXISTS', wait, prioritized) > 0 then r('ZADD', marker, 0, '0') end
  local first = c.delayed and r('ZRANGE', delayed, 0, 0, 'WITHSCORES')[2]
  return jobs, missing, 'empty', first and int(math.floor(tonumber(first) / 4096)) or 0
end
