--[[ Part: finished jobs let their deduplication keys go, and what a duplicate left behind meanwhile
becomes a job. Only batches with deduplicated jobs carry it. ]]
local requeued, pending = 0, false
-- Options that cannot be read count as not given, as they do for whoever claims the job.
local function object(json)
  local read, value = pcall(cjson.decode, json)
  return read and type(value) == 'table' and value or {}
end
local function add(deid)
  local key = P .. 'dn:' .. deid
  local x = r('HMGET', key, 'name', 'data', 'opts', 'jid', 'pk', 'pd', 'pdk', 'rjk')
  if not (x[1] and x[2] and x[3]) then return end
  local counter, o = r('INCR', ids), object(x[3])
  local id, de = x[4] or int(counter), type(o.de) == 'table' and o.de or {}
  local delay, priority, ttl = tonumber(o.delay) or 0, tonumber(o.priority) or 0, tonumber(de.ttl) or 0
  local fields = {'name', x[1], 'data', x[2], 'opts', x[3], 'timestamp', ts, 'delay', delay,
    'priority', priority, 'deid', deid}
  if x[5] and x[6] then push(fields, 'parentKey', x[5], 'parent', x[6]) end
  if x[8] then push(fields, 'rjk', x[8]) end
  r('HSET', P .. id, unpack(fields))
  r('SET', P .. 'de:' .. deid, id)
  if ttl > 0 and not de.keepLastIfActive then try('PEXPIRE', P .. 'de:' .. deid, int(ttl)) end
  if every then event(false, 'added', 'jobId', id, 'name', x[1]) end
  if delay > 0 then
    toDelayed(id, now + delay)
    if every then event(true, 'delayed', 'jobId', id, 'delay', now + delay) end
  else
    if priority > 0 then toPrioritized(id, priority) else push(o.lifo and rights or lefts, id) end
    if every then event(true, 'waiting', 'jobId', id) end
  end
  r('DEL', key)
  requeued = requeued + 1
  if x[7] then r('SADD', x[7], P .. id) end
end
-- A job ends whatever a duplicate left behind.
local function requeue(deid) pcall(add, deid) end
local function letGo(dedups)
  local owned, nexts = {}, {}
  for _, j in ipairs(dedups) do
    push(owned, P .. 'de:' .. j.deid)
    push(nexts, P .. 'dn:' .. j.deid)
  end
  for i, owner in ipairs(r('MGET', unpack(owned))) do
    -- A key with a running time to live stays; keepLastIfActive keys have none.
    local j = dedups[i]
    if owner == j.id and (j.last or r('PTTL', owned[i]) <= 0) then push(trash, owned[i]) end
  end
  if r('EXISTS', unpack(nexts)) > 0 then
    sweep()
    pending = true
  end
end
