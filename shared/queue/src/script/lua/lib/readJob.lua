--[[ Reads the fields of a job that whoever claims it needs.
Keys    the job's hash
Answer  {id, field values in the order of FIELDS}, and how many bytes all of it has; nil for what is no hash or has
        none of them: no job
Cost    1 ]]
local FIELDS = {'name', 'data', 'opts', 'timestamp', 'priority', 'ats', 'atm', 'attemptsMade', 'stc', 'deid',
  'parentKey', 'rjk', 'defa', 'stacktrace', 'finishedOn'}
-- Places in the answer.
local DATA, ATTEMPTS_STARTED, DEDUPLICATION_ID, DEFERRED_FAILURE, FINISHED_ON = 3, 7, 11, 14, 16
local function readJob(id)
  local values = readAny('HMGET', prefix .. id, unpack(FIELDS))
  if not values then return end
  -- A job that must fail unrun does so without its data, which may be why it never ended.
  if values[DEFERRED_FAILURE - 1] then values[DATA - 1] = false end
  local isKnown, bytes = false, #id
  for place = 1, #FIELDS do
    local value = values[place]
    if value then isKnown, bytes = true, bytes + #value end
  end
  if isKnown then return {id, unpack(values, 1, #FIELDS)}, bytes end
end
-- Whether a job that waits has ended already: a removal that was refused left its id behind.
local function hasEnded(id, finishedOn)
  return finishedOn and (readAny('ZSCORE', completed, id) or readAny('ZSCORE', failed, id)) and true or false
end
