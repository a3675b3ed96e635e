--[[ Settles a batch.
KEYS  1-15 the queue's (15: this call's receipt), then as parts/settle.lua says
ARGV  JSON {prefix, now, events: off|final|all, settle: see parts/settle.lua}
Answer {commands, codes, requeued, missing}: due ids without a hash, dropped
Cost  per call about 12, retention included; per kept job 1 (HSET), per failed one 2; one more with events
Runs again with `again` and the same receipt key: answers what the first run answered. ]]
local codes = settle(a.settle)
drained()
return {calls, codes, requeued, missing}
