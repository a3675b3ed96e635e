--[[ Settles a batch that may hold children of flows; a claim of its own may follow.
KEYS, ARGV, answer and cost as settle.lua; `settle.more`: a claim follows ]]
local codes, limit = settle(a.settle), tonumber(m[3])
-- A running worker's finish fetches the next job: a queue that is not idle only because it is held
-- or has delayed jobs is not drained to it.
if not a.settle.more then drained()
elseif not blocked and not (limit and tonumber(r('GET', limiter) or 0) >= limit) then drained(delayed) end
return {calls, codes, requeued, missing}
