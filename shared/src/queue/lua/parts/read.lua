-- Part: the fields of a job that whoever claims it needs.
local FIELDS = {'name', 'data', 'opts', 'timestamp', 'priority', 'ats', 'atm', 'attemptsMade', 'stc', 'deid',
  'parentKey', 'rjk', 'defa', 'stacktrace'}
local function read(id)
  local job, known = r('HMGET', P .. id, unpack(FIELDS)), false
  for _, value in ipairs(job) do known = known or value end
  return known and {id, unpack(job, 1, #FIELDS)}
end
