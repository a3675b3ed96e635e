--[[ Part: takes jobs away with all that hangs on them: their keys, their deduplication, their place in a
flow. The jobs of a flow may live in other queues, whose keys follow from the jobs' own. ]]
-- A job's key, cut into its queue's prefix and its id. Ids may hold colons, so for another queue the
-- cut is where a queue is known; BullMQ cuts at the last colon, and leaves such children behind.
local function cut(key)
  if string.sub(key, 1, #P) == P then return P, string.sub(key, #P + 1) end
  local last = string.match(key, '^.*:') or ''
  local base = last
  while base and r('EXISTS', base .. 'meta') == 0 do base = string.match(base, '^(.*:)[^:]*:$') end
  base = base or last
  return base, string.sub(key, #base + 1)
end
local function six(key, into)
  push(into, key, key .. ':logs', key .. ':dependencies', key .. ':processed', key .. ':failed',
    key .. ':unsuccessful')
  return into
end
-- A deduplication key that still names the job goes with it, and what waits behind it.
local function undedup(base, id, deid)
  local key = deid and base .. 'de:' .. deid
  if key and r('MGET', key)[1] == id then r('DEL', key, base .. 'dn:' .. deid) end
end
local function release(base, id, tell)
  local q = r('HMGET', base .. 'meta', 'paused', 'concurrency', 'version')
  local list, shut = 'wait', q[1]
  if q[1] then
    if r('EXISTS', base .. 'paused') == 1
      or (string.find(q[3] or '', '^bullmq:5') and r('EXISTS', base .. 'wait') == 0) then list = 'paused' end
  elseif q[2] then shut = r('LLEN', base .. 'active') >= (tonumber(q[2]) or math.huge) end
  r('RPUSH', base .. list, id)
  if not shut then r('ZADD', base .. 'marker', 0, '0') end
  if tell and a.events then
    r('XADD', base .. 'events', '*', 'event', 'waiting', 'jobId', id, 'prev', 'waiting-children')
  end
end
-- Takes a job out of its parent's dependencies. A parent that waited for nothing else goes on, or, when
-- children are swept away with `hard`, is deleted too if it is of this queue.
local function detach(key, parent, hard)
  if not parent or parent == '' then return end
  local open = parent .. ':dependencies'
  if r('SREM', open, key) == 0 or r('SCARD', open) > 0 then return end
  local base, id = cut(parent)
  if r('ZREM', base .. 'waiting-children', id) == 0 then return end
  if not hard or base ~= P then return release(base, id, not hard) end
  local own = r('HMGET', parent, 'parentKey', 'deid')
  detach(parent, own[1], true)
  undedup(base, id, own[2])
  del(six(parent, {}))
end
-- The job that a live scheduler waits for: without it the schedule would end.
local function current(id, rjk)
  local at = rjk and r('ZSCORE', P .. 'repeat', rjk)
  return at and id == 'repeat:' .. rjk .. ':' .. at
end
-- The fields of a job; none of what is no hash.
local function fields(id, ...)
  return try('HMGET', P .. id, ...) or {}
end
-- Its keys go with the next sweep(), whatever became of its parent's.
local function discard(id, parent, deid)
  pcall(detach, P .. id, parent, true)
  undedup(P, id, deid)
  six(P .. id, trash)
end
