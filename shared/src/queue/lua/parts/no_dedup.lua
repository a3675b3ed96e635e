-- Part: in the place of dedup.lua, for batches without deduplicated jobs.
local letGo, requeue
local requeued, pending = 0, false
