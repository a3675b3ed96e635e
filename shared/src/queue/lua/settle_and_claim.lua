--[[ Settles a batch and claims the next, in one round trip.
KEYS, ARGV and costs as settle.lua and claim.lua
Answer {commands, codes, requeued, jobs, missing, status, ms} ]]
local codes = settle(a.settle)
local jobs, missing, status, ms = claim(a.claim)
if status == 'empty' and ms == 0 then drained() end
return {calls, codes, requeued, jobs, missing, status, ms}
