--[[ Resumes the queue, whichever BullMQ paused it, and puts what waits into `wait`.
KEYS  1-15 the queue's
ARGV  JSON {prefix, now, events: bool, first: bool, again: bool}
Answer {commands, left}: jobs that a next call has to move
Cost  6 to 10, one more for the event
Runs again safely: the second run finds the queue resumed, and says so to nobody. ]]
local left = 0
r('HDEL', meta, 'paused')
if r('EXISTS', paused) == 1 then
  if r('EXISTS', wait) == 0 then
    r('RENAME', paused, wait)
  else
    -- They have waited longest: the right end is the next to run.
    local some = r('LRANGE', paused, 0, 4999)
    many('RPUSH', wait, some)
    r('LTRIM', paused, #some, -1)
    left = r('LLEN', paused)
  end
end
if r('LLEN', wait) + r('ZCARD', prioritized) > 0 then
  r('ZADD', marker, 0, '0')
else
  local first = r('ZRANGE', delayed, 0, 0, 'WITHSCORES')
  if first[2] then r('ZADD', marker, tonumber(first[2]) / 4096, '1') end
end
if a.events and a.first and not (a.again and not m[1]) then event(false, 'resumed') end
return {calls, left}
