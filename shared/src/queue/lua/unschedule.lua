--[[ Ends a job scheduler: its record goes, and its next job with it, unless that does not wait any more
for its time.
KEYS  1-15 the queue's (15: this call's receipt), then repeat, repeat:<scheduler>
ARGV  JSON {prefix, now, events: bool, again, scheduler}
Answer {commands, {code}}: 1 ended, 0 there was none
Cost  6, one more for the event ]]
local all = P .. 'repeat'
local at = r('ZSCORE', all, a.scheduler)
if not at then return {calls, {0}} end
local id = 'repeat:' .. a.scheduler .. ':' .. at
if r('ZREM', delayed, id) == 1 then
  del(six(P .. id, {}))
  if a.events then event(false, 'removed', 'jobId', id, 'prev', 'delayed') end
end
r('ZREM', all, a.scheduler)
r('DEL', all .. ':' .. a.scheduler)
return done({1})
