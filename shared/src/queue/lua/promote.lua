--[[ Makes one delayed job wait for nothing but its turn.
KEYS  1-15 the queue's (15: this call's receipt), then the job's hash
ARGV  JSON {prefix, now, events: bool, again, id}
Answer {commands, {code}}: 1 waiting; -1 no such job; -3 not delayed
Cost  about 8 ]]
local key = P .. a.id
if r('EXISTS', key) == 0 then return {calls, {-1}} end
local priority = tonumber(r('HGET', key, 'priority') or 0) or 0
if r('ZREM', delayed, a.id) == 0 then return {calls, {-3}} end
if priority > 0 then toPrioritized(a.id, priority) else push(lefts, a.id) end
flush()
if a.events then event(false, 'waiting', 'jobId', a.id, 'prev', 'delayed') end
r('HSET', key, 'delay', 0)
return done({1})
