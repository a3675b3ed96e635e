--[[ Counts what a batch completed or failed, minute by minute, as BullMQ's workers do that ask for metrics.
Keys  metrics:completed, metrics:failed, and each with :data
Cost  2, and 3 in a new minute ]]
local function countMetrics(target, ended, minutesKept)
  local key = prefix .. 'metrics:' .. target
  local count = run('HINCRBY', key, 'count', ended) - ended
  local last = run('HMGET', key, 'prevTS', 'prevCount')
  if not last[1] then return run('HSET', key, 'prevTS', nowText, 'prevCount', 0) end
  local minutes = math.min(math.floor(now / 60000) - math.floor(last[1] / 60000), minutesKept)
  if minutes <= 0 then return end
  -- The first minute is the one that was counted so far; nothing happened in those after it.
  local points = {int(count - last[2])}
  for _ = 2, minutes do push(points, 0) end
  many('LPUSH', key .. ':data', points)
  run('LTRIM', key .. ':data', 0, minutesKept - 1)
  run('HSET', key, 'prevCount', int(count), 'prevTS', nowText)
end
