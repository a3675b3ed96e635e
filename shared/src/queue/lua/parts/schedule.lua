--[[ Part: what upserting a job scheduler and producing its next job have in common. ]]
local five = string.find(m[6] or '', '^bullmq:5')
local all = P .. 'repeat'
local record = all .. ':' .. a.scheduler
local function nameOf(at) return (a.stem or 'repeat:' .. a.scheduler .. ':') .. int(at) end
-- The next time of an `every` rule, on a grid of `every` ms that is `offset` ms off the epoch.
local function slot(prev, every, offset, start)
  local grid, at = math.floor(now / every) * every + offset, nil
  if grid <= now then grid = grid + every end
  if prev then
    at = prev + every
    if at < now then at = grid end
  elseif start then at = math.max(start, now)
  elseif offset > 0 then at = grid
  else at = now end
  if offset == 0 then offset = at - math.floor(at / every) * every end
  return math.floor(at), math.floor(offset)
end
-- The options come as the text of a JSON object, to which only these two are added.
local function produce(at, name, data)
  local id, delay = nameOf(at), math.max(0, at - now)
  local opts = string.sub(a.opts, 1, -2) .. ',"delay":' .. int(delay) .. ',"jobId":' .. cjson.encode(id) .. '}'
  local fields = {'name', name, 'data', data, 'opts', opts, 'timestamp', ts, 'delay', int(delay),
    'priority', int(a.priority), 'rjk', a.scheduler}
  if a.deid then push(fields, 'deid', a.deid) end
  r('INCR', ids)
  r('HSET', P .. id, unpack(fields))
  if a.events then event(false, 'added', 'jobId', id, 'name', name) end
  if delay > 0 then
    toDelayed(id, now + delay)
    if a.events then event(true, 'delayed', 'jobId', id, 'delay', int(now + delay)) end
  else
    if a.priority > 0 then toPrioritized(id, a.priority) else push(a.lifo and rights or lefts, id) end
    if a.events then event(true, 'waiting', 'jobId', id) end
  end
  flush()
  return id, int(delay)
end
