--[[ Puts one finished job back to work.
KEYS  1-15 the queue's (15: this call's receipt), then the job's hash
ARGV  JSON {prefix, now, events: bool, again, id, state: failed|completed, reset: bool}
Answer {commands, {code}}: 1 waiting; -1 no such job; -3 not in that state
Cost  about 9; for a child about 4 more
The attempts that it made stay counted unless `reset`; one more is made in any case. BullMQ 5 puts it
into `wait` whatever its priority. ]]
local key = P .. a.id
if r('EXISTS', key) == 0 then return {calls, {-1}} end
local job = r('HMGET', key, 'priority', 'opts', 'parentKey')
local read, opts = pcall(cjson.decode, job[2] or '{}')
if r('ZREM', P .. a.state, a.id) == 0 then return {calls, {-3}} end
if a.reset then r('HDEL', key, 'finishedOn', 'processedOn', WHY[a.state], 'atm', 'ats')
else r('HDEL', key, 'finishedOn', 'processedOn', WHY[a.state]) end
local priority = tonumber(job[1] or 0) or 0
if priority > 0 and not five then toPrioritized(a.id, priority)
else push(read and type(opts) == 'table' and opts.lifo == true and rights or lefts, a.id) end
flush()
rejoin(key, job[3], a.state)
if a.events then event(true, 'waiting', 'jobId', a.id, 'prev', a.state) end
return done({1})
