--[[ Claims a batch.
KEYS  1-15 the queue's
ARGV  JSON {prefix, now, events: off|final|all, claim: see parts/claim.lua}
Answer {commands, jobs, missing, status, ms}
Cost  per call about 7, two less where the caller knows that delayed and prioritized are empty; per
      job 3 (HMGET, SET lock, HSET), one more with all events
Runs again with `again` and the same token: finds the jobs that the first run took. ]]
local jobs, missing, status, ms = claim(a.claim)
return {calls, jobs, missing, status, ms}
