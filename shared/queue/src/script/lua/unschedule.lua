--[[ Ends a job scheduler: its record goes, and its next job with it, unless that does not wait any more
for its time.
KEYS    1-15 the queue's (15: this call's receipt), then repeat, repeat:<scheduler>
ARGV    JSON {prefix, now, events: bool, scheduler}
Answer  {commands, {code}}: 1 ended, 0 there was none
Cost    7, one more for the event ]]
-- @include "commands"
-- @include "queue"
-- @include "settings"
-- @include "receipt"
-- @include "deleteJob"
-- @include "emit"
readSettings()
local before = readReceipt()
if before then return {executed, before} end
local schedulers = prefix .. 'repeat'
local at = run('ZSCORE', schedulers, call.scheduler)
if not at then return {executed, {0}} end
local id = 'repeat:' .. call.scheduler .. ':' .. at
if run('ZREM', delayed, id) == 1 then
  run('DEL', unpack(keysOfJob(prefix .. id)))
  if tellsAll then emit('removed', 'jobId', id, 'prev', 'delayed') end
end
run('ZREM', schedulers, call.scheduler)
run('DEL', schedulers .. ':' .. call.scheduler)
return answerOnce({1})
