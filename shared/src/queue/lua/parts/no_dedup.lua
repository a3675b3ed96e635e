-- Part: in the place of dedup.lua, for batches without deduplicated jobs.
local letGo
local requeued = 0
