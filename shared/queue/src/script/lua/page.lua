--[[ Reads a page of the jobs on a state, as lists show them. Reads only.
KEYS    1 the state's list or sorted set
ARGV    JSON {prefix, now, order: how the state is read, from, to: places, most: bytes of a text}
Answer  {commands, {id, score or false, the values of FIELDS}, ...}; texts are cut, and data that is longer is
        none, so that a page has a bound whatever producers wrote
Cost    1, and 1 a job
What is no hash has no fields. ]]
-- @include "commands"
local FIELDS = {'name', 'timestamp', 'processedOn', 'finishedOn', 'priority', 'atm', 'failedReason', 'data'}
local READ = {list = 'LRANGE', first = 'ZRANGE', newest = 'ZREVRANGE', due = 'ZRANGE'}
local call = cjson.decode(ARGV[1])
local isDue = call.order == 'due'
local found = run(READ[call.order], KEYS[1], call.from, call.to, unpack(isDue and {'WITHSCORES'} or {}))
local answer = {executed}
for place = 1, #found, isDue and 2 or 1 do
  local id = found[place]
  local values = readAny('HMGET', call.prefix .. id, unpack(FIELDS)) or {}
  local line = {id, isDue and found[place + 1]}
  for field, name in ipairs(FIELDS) do
    local value = values[field]
    if value and #value > call.most then value = name ~= 'data' and string.sub(value, 1, call.most) end
    line[field + 2] = value or false
  end
  push(answer, line)
end
answer[1] = executed
return answer
