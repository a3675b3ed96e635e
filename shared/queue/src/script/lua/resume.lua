--[[ Resumes the queue, whichever BullMQ paused it, and puts what waits into `wait`.
KEYS    1-15 the queue's
ARGV    JSON {prefix, now, events: bool, first: bool, again: bool}
Answer  {commands, left}: jobs that a next call has to move
Cost    6 to 10, one more for the event
Runs again safely: the second run finds the queue resumed, and says so to nobody. ]]
-- @include "commands"
-- @include "queue"
-- @include "settings"
-- @include "placeJob"
-- @include "emit"
readSettings()
local left = 0
run('HDEL', meta, 'paused')
-- What is no list is left where it is.
if (readAny('LLEN', paused) or 0) > 0 then
  if run('EXISTS', wait) == 0 then
    run('RENAME', paused, wait)
  else
    -- They have waited longest: the right end is the next to run.
    local page = run('LRANGE', paused, 0, 4999)
    many('RPUSH', wait, page)
    run('LTRIM', paused, #page, -1)
    left = run('LLEN', paused)
  end
end
if run('LLEN', wait) + (readAny('ZCARD', prioritized) or 0) > 0 then wake() else wakeWhenDue(delayed, marker) end
if tellsAll and call.first and not (call.again and not settings.paused) then emit('resumed') end
return {executed, left}
