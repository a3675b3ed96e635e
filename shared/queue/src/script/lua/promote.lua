--[[ Makes one delayed job wait for nothing but its turn.
KEYS    1-15 the queue's (15: this call's receipt), then the job's hash
ARGV    JSON {prefix, now, events: bool, id}
Answer  {commands, {code}}: 1 waiting; -1 no such job; -3 not delayed
Cost    about 10 ]]
-- @include "commands"
-- @include "queue"
-- @include "settings"
-- @include "receipt"
-- @include "placeJob"
-- @include "emit"
readSettings()
local before = readReceipt()
if before then return {executed, before} end
local id, key = call.id, prefix .. call.id
if run('EXISTS', key) == 0 then return {executed, {-1}} end
local priority = tonumber(run('HGET', key, 'priority') or 0) or 0
if not run('ZSCORE', delayed, id) then return {executed, {-3}} end
if priority > 0 then placePrioritized(id, priority) else placeWaiting(id) end
placeNoted()
if refused then return refuse(refused) end
run('ZREM', delayed, id)
if tellsAll then emit('waiting', 'jobId', id, 'prev', 'delayed') end
run('HSET', key, 'delay', 0)
return answerOnce({1})
