--[[ Part: finished jobs let their deduplication keys go, and what a duplicate left behind meanwhile
becomes a job. Only batches with deduplicated jobs carry it. ]]
local requeued, pending = 0, false
local function requeue(deid)
  local key = P .. 'dn:' .. deid
  local x = r('HMGET', key, 'name', 'data', 'opts', 'jid', 'pk', 'pd', 'pdk', 'rjk')
  if not x[3] then return end
  local counter, o = r('INCR', ids), cjson.decode(x[3])
  local id, de = x[4] or int(counter), o.de or {}
  local delay, priority = tonumber(o.delay) or 0, tonumber(o.priority) or 0
  if de.ttl and not de.keepLastIfActive then r('SET', P .. 'de:' .. deid, id, 'PX', int(de.ttl))
  else r('SET', P .. 'de:' .. deid, id) end
  local fields = {'name', x[1], 'data', x[2], 'opts', x[3], 'timestamp', ts, 'delay', int(delay),
    'priority', int(priority), 'deid', deid}
  if x[5] then push(fields, 'parentKey', x[5], 'parent', x[6]) end
  if x[8] then push(fields, 'rjk', x[8]) end
  r('HSET', P .. id, unpack(fields))
  if every then event(false, 'added', 'jobId', id, 'name', x[1]) end
  if delay > 0 then
    toDelayed(id, now + delay)
    if every then event(true, 'delayed', 'jobId', id, 'delay', int(now + delay)) end
  else
    if priority > 0 then toPrioritized(id, priority) else push(o.lifo and rights or lefts, id) end
    if every then event(true, 'waiting', 'jobId', id) end
  end
  if x[7] then r('SADD', x[7], P .. id) end
  r('DEL', key)
  requeued = requeued + 1
end
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
