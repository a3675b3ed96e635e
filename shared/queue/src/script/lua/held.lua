--[[ Reads the jobs that are claimed under a token.
KEYS    1-15 the queue's, then one lock a job, then their hashes
ARGV    JSON {prefix, now, token, ids}
Answer  {commands, jobs = as readJob() gives them}
Cost    1, and 1 for each job under the token
Runs again: reads again. ]]
-- @include "commands"
-- @include "queue"
-- @include "readJob"
local jobs = {}
for place, holder in ipairs(run('MGET', unpack(KEYS, 16, 15 + #call.ids))) do
  local job = holder == call.token and readJob(call.ids[place])
  if job then push(jobs, job) end
end
return {executed, jobs}
