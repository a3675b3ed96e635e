--[[ Part: what a finished job of a flow means for its parent, which may be in another queue. Only
batches that may hold such jobs carry it. ]]
local function elsewhere(queue, parent, id, plainly)
  local q = queue .. ':'
  -- What the batch has put into this queue so far stands before it.
  flush()
  if r('ZREM', q .. 'waiting-children', id) == 0 then return false end
  local x = plainly and {} or r('HMGET', parent, 'priority', 'delay')
  local pm = r('HMGET', q .. 'meta', 'paused', 'concurrency', 'version')
  local held = pm[1] or (pm[2] and r('LLEN', q .. 'active') >= (tonumber(pm[2]) or math.huge))
  local priority, delay = tonumber(x[1]) or 0, tonumber(x[2]) or 0
  local function tell(...)
    if every then r('XADD', q .. 'events', '*', 'event', ...) end
  end
  if delay > 0 then
    r('ZADD', q .. 'delayed', int((now + delay) * 4096), id)
    tell('delayed', 'jobId', id, 'delay', int(now + delay))
    local first = r('ZRANGE', q .. 'delayed', 0, 0, 'WITHSCORES')
    r('ZADD', q .. 'marker', tonumber(first[2]) / 4096, '1')
    return true
  end
  if priority > 0 then
    r('ZADD', q .. 'prioritized', int(priority * 4294967296 + r('INCR', q .. 'pc') % 4294967296), id)
  else
    local list = 'wait'
    if pm[1] and (r('EXISTS', q .. 'paused') == 1 or (r('EXISTS', q .. 'wait') == 0
      and string.find(pm[3] or '', '^bullmq:5'))) then list = 'paused' end
    r('RPUSH', q .. list, id)
  end
  if not held then r('ZADD', q .. 'marker', 0, '0') end
  tell('waiting', 'jobId', id, 'prev', 'waiting-children')
  return true
end
-- What cannot be read of it counts as not stored.
local function family(key)
  local x = r('HMGET', key, 'parentKey', 'parent')
  local read, flags = pcall(cjson.decode, x[2] or '{}')
  if not read or type(flags) ~= 'table' then flags = {} end
  local function text(value) return (type(value) == 'string' or type(value) == 'number') and value .. '' end
  local id, queue = text(flags.id), text(flags.queueKey)
  local parent = x[1] or (id and queue and queue .. ':' .. id)
  if not parent or parent == '' then return end
  -- The id is what follows the last colon only where nothing better is stored.
  id = id or string.match(parent, '.*:(.*)')
  if not id then return end
  return parent, id, queue or string.sub(parent, 1, -#id - 2), flags
end
-- A job that is removed leaves its parent's dependencies; the last one releases the parent, which
-- BullMQ then puts into `wait` whatever its priority and delay.
local function depart(key)
  local parent, id, queue = family(key)
  if parent and r('SREM', parent .. ':dependencies', key) == 1
    and r('SCARD', parent .. ':dependencies') == 0 then elsewhere(queue, parent, id, true) end
end
local function tell(j, key)
  local parent, id, queue, flags = family(key)
  if not parent then return end
  local open = parent .. ':dependencies'
  if j.act == 'fail' and not (flags.fpof or flags.cpof or flags.idof or flags.rdof) then return end
  if r('SREM', open, key) == 0 then return end
  if j.act == 'complete' then
    r('HSET', parent .. ':processed', key, j.value)
    if r('SCARD', open) == 0 and r('EXISTS', parent) == 1 then elsewhere(queue, parent, id) end
  elseif flags.fpof then
    r('ZADD', parent .. ':unsuccessful', ts, key)
    if r('EXISTS', parent) == 0 then return end
    local reason = 'child ' .. key .. ' failed'
    if r('ZSCORE', queue .. ':delayed', id) and not r('ZSCORE', queue .. ':waiting-children', id) then
      r('HSET', parent, 'delay', 0)
      r('ZREM', queue .. ':delayed', id)
      r('ZADD', queue .. ':waiting-children', ts, id)
    end
    if r('ZSCORE', queue .. ':waiting-children', id) then
      r('HSET', parent, 'defa', reason)
      elsewhere(queue, parent, id)
    elseif not r('ZSCORE', queue .. ':failed', id) then
      r('HSET', parent, 'defa', reason)
    end
  elseif flags.cpof then
    r('HSET', parent .. ':failed', key, j.value)
    if r('EXISTS', parent) == 1 then elsewhere(queue, parent, id) end
  else
    if r('SCARD', open) == 0 and r('EXISTS', parent) == 1 then elsewhere(queue, parent, id) end
    if flags.idof then r('HSET', parent .. ':failed', key, j.value) end
  end
end
-- A job ends whatever became of its parent's keys.
local function leave(key) pcall(depart, key) end
local function kin(j, key) pcall(tell, j, key) end
