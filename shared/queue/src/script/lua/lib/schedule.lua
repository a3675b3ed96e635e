--[[ What upserting a job scheduler and producing its next job have in common.
Keys  repeat, repeat:<scheduler>, the next job's hash, id, and those of storeJob
Cost  produceNext(): 2, and those of storeJob and placeNoted ]]
-- @include "storeJob"
local schedulers = prefix .. 'repeat'
local record = schedulers .. ':' .. call.scheduler
-- A scheduler's job of one time. `stem`: of a repeatable job of before schedulers, its id without the time.
local function idAt(ms) return (call.stem or 'repeat:' .. call.scheduler .. ':') .. int(ms) end
-- The next time of an `every` rule, on a grid of `every` ms that is `offset` ms off the epoch.
local function nextSlot(previous, every, offset, start)
  local grid, at = math.floor(now / every) * every + offset, nil
  if grid <= now then grid = grid + every end
  if previous then
    at = previous + every
    if at < now then at = grid end
  elseif start then at = math.max(start, now)
  elseif offset > 0 then at = grid
  else at = now end
  if offset == 0 then offset = at - math.floor(at / every) * every end
  return math.floor(at), math.floor(offset)
end
-- Takes back what could not be finished: a job of that time would count as put in place.
local function withdraw(id)
  for _, set in ipairs({delayed, prioritized}) do try('ZREM', set, id) end
  for _, list in ipairs({wait, paused}) do try('LREM', list, 1, id) end
  try('DEL', prefix .. id)
end
-- The options come as the text of a JSON object, to which only these two are added.
-- The scheduler's time becomes `at` once its job stands: whoever finds another there makes that job's next one.
local function produceNext(at, name, data)
  local id, delay = idAt(at), math.max(0, at - now)
  local opts = string.sub(call.opts, 1, -2) .. ',"delay":' .. int(delay) .. ',"jobId":' .. cjson.encode(id) .. '}'
  -- A schedule goes on, whether its jobs can be counted or not.
  try('INCR', ids)
  local isDone, refusal = pcall(function()
    storeJob({id = id, data = data, opts = opts, deid = call.deid, rjk = call.scheduler},
      {name = name, timestamp = now, delay = delay, priority = call.priority, lifo = call.lifo})
    placeNoted()
    if unplaced[id] then error(refused, 0) end
    run('ZADD', schedulers, int(at), call.scheduler)
  end)
  if not isDone then
    withdraw(id)
    error(refusal, 0)
  end
  return id, int(delay)
end
