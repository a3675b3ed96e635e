--[[ Pauses the queue: nothing is claimed from it any more; what is active goes on.
KEYS  1-15 the queue's
ARGV  JSON {prefix, now, events: bool, first: bool, again: bool}
Answer {commands, left}: jobs that a next call has to move
Cost  4, two more on BullMQ 5, one for the event
BullMQ 5 keeps what waits in `paused` meanwhile, and renames that over `wait` when it resumes: a job in
the other list would vanish. So both lists become one.
Runs again safely: the second run finds the queue paused, and says so to nobody. ]]
local left = 0
if string.find(m[6] or '', '^bullmq:5') and r('EXISTS', wait) == 1 then
  if r('EXISTS', paused) == 0 then
    r('RENAME', wait, paused)
  else
    many('LPUSH', paused, r('RPOP', wait, 5000))
    left = r('LLEN', wait)
  end
end
r('HSET', meta, 'paused', 1)
r('DEL', marker)
if a.events and a.first and not (a.again and m[1]) then event(false, 'paused') end
return {calls, left}
