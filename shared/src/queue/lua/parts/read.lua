-- Part: the fields of a job that whoever claims it needs.
local FIELDS = {'name', 'data', 'opts', 'timestamp', 'priority', 'ats', 'atm', 'attemptsMade', 'stc', 'deid',
  'parentKey', 'rjk', 'defa', 'stacktrace'}
local function read(id)
  -- What is no hash is no job.
  local job, known = try('HMGET', P .. id, unpack(FIELDS)) or {}, false
  for _, value in ipairs(job) do known = known or value end
  return known and {id, unpack(job, 1, #FIELDS)}
end
