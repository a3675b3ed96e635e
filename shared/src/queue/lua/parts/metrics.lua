--[[ Part: counts what a settled batch completed and failed, minute by minute, as BullMQ's workers do that
ask for metrics. `s.metrics` is for how many minutes; without it nothing is counted. ]]
local function measure(target, n, most)
  local key = P .. 'metrics:' .. target
  local count = r('HINCRBY', key, 'count', n) - n
  local last = r('HMGET', key, 'prevTS', 'prevCount')
  if not last[1] then return r('HSET', key, 'prevTS', ts, 'prevCount', 0) end
  local minutes = math.min(math.floor(now / 60000) - math.floor(last[1] / 60000), most)
  if minutes <= 0 then return end
  -- The first minute is the one that was counted so far; nothing happened in those after it.
  local points = {int(count - last[2])}
  for _ = 2, minutes do push(points, 0) end
  many('LPUSH', key .. ':data', points)
  r('LTRIM', key .. ':data', 0, most - 1)
  r('HSET', key, 'prevCount', int(count), 'prevTS', ts)
end
local uncounted = settle
local function settle(s)
  local again = s.again and r('EXISTS', receipt) == 1
  local codes, ends = uncounted(s), {complete = 0, fail = 0}
  if again or not s.metrics then return codes end
  for i, j in ipairs(s.jobs) do
    if codes[i] == 0 and ends[j.act] then ends[j.act] = ends[j.act] + 1 end
  end
  -- The jobs have ended, whether they can be counted or not.
  if ends.complete > 0 then pcall(measure, 'completed', ends.complete, s.metrics) end
  if ends.fail > 0 then pcall(measure, 'failed', ends.fail, s.metrics) end
  return codes
end
