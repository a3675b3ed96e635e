--[[ Pauses the queue: nothing is claimed from it any more; what is active goes on.
KEYS    1-15 the queue's
ARGV    JSON {prefix, now, events: bool, first: bool, again: bool}
Answer  {commands, left}: jobs that a next call has to move
Cost    6, one for the event, and 3 for every 5,000 jobs where both lists exist
What waits is kept in `paused` meanwhile, whatever version made the queue: BullMQ 5 adds there, and renames it over
`wait` when it resumes, so that jobs in the other list would vanish; version 6 joins both.
Runs again safely: the second run finds the queue paused, and says so to nobody. ]]
-- @include "commands"
-- @include "queue"
-- @include "settings"
-- @include "emit"
readSettings()
local left = 0
-- What is no list is left where it is.
if (readAny('LLEN', wait) or 0) > 0 then
  if run('EXISTS', paused) == 0 then
    run('RENAME', wait, paused)
  else
    local page, oldestFirst = run('LRANGE', wait, -5000, -1), {}
    for place = #page, 1, -1 do push(oldestFirst, page[place]) end
    many('LPUSH', paused, oldestFirst)
    run('LTRIM', wait, 0, -#page - 1)
    left = run('LLEN', wait)
  end
end
run('HSET', meta, 'paused', 1)
try('DEL', marker)
if tellsAll and call.first and not (call.again and settings.paused) then emit('paused') end
return {executed, left}
