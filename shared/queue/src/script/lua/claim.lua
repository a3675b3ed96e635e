--[[ Claims a batch.
KEYS    1-15 the queue's
ARGV    JSON {prefix, now, events: off|final|all, claim: see lib/claimJobs.lua}
Answer  {commands, jobs, missing, status, ms, more: 0|1, settings.read}
Cost    that of lib/claimJobs.lua, and 1 to 2 for the settings
Runs again with `again` and the same token: finds the jobs that the first run took. ]]
-- @include "commands"
-- @include "queue"
-- @include "settings"
-- @include "claimJobs"
readSettings()
local isDone, claimed = pcall(claimJobs, call.claim)
attempt(sweep)
if not isDone then return refuse(claimed) end
return {executed, claimed.jobs, missing, claimed.status, claimed.ms, claimed.more and 1 or 0, settings.read}
