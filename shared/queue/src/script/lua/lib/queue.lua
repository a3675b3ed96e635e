--[[ Names the queue's keys and the call's argument.
KEYS  1-15, as keys.rs orders them
ARGV  1 JSON {prefix, now: ms, events: off|final|all or a boolean, ...} ]]
local wait, paused, active, prioritized, pc, delayed, meta, marker, events, ids, limiter, stalled,
  completed, failed, receipt = unpack(KEYS, 1, 15)
local call = cjson.decode(ARGV[1])
local prefix, now = call.prefix, call.now
-- Which events are told: all, or those of jobs that ended.
local tellsAll = call.events == 'all' or call.events == true
local tellsFinal = tellsAll or call.events == 'final'
-- Formatted once: a batch writes it for every job.
local nowText = string.format('%.0f', now)
