--[[ Puts one finished job back to work.
KEYS    1-15 the queue's (15: this call's receipt), then the job's hash
ARGV    JSON {prefix, now, events: bool, id, state: failed|completed, reset: bool}
Answer  {commands, {code}}: 1 waiting; -1 no such job; -3 not in that state
Cost    about 11; for a child about 4 more
The attempts that it made stay counted unless `reset`; one more is made in any case. BullMQ 5 puts it
into `wait` whatever its priority. ]]
-- @include "commands"
-- @include "queue"
-- @include "settings"
-- @include "receipt"
-- @include "reviveJob"
readSettings()
local before = readReceipt()
if before then return {executed, before} end
local id, key, set = call.id, prefix .. call.id, prefix .. call.state
if run('EXISTS', key) == 0 then return {executed, {-1}} end
local job = run('HMGET', key, 'priority', 'opts', 'parentKey')
local isRead, opts = pcall(cjson.decode, job[2] or '{}')
if not run('ZSCORE', set, id) then return {executed, {-3}} end
if call.reset then run('HDEL', key, 'finishedOn', 'processedOn', RESULT[call.state], 'atm', 'ats')
else run('HDEL', key, 'finishedOn', 'processedOn', RESULT[call.state]) end
local priority = tonumber(job[1] or 0) or 0
if priority > 0 and not isVersionFive() then placePrioritized(id, priority)
else placeWaiting(id, isRead and type(opts) == 'table' and opts.lifo == true) end
placeNoted()
if refused then return refuse(refused) end
run('ZREM', set, id)
rejoinParent(key, job[3], call.state)
if tellsAll then emitTrimming('waiting', 'jobId', id, 'prev', call.state) end
return answerOnce({1})
