--[[ Reads why the newest failed jobs failed. Reads only.
KEYS    1 failed
ARGV    JSON {prefix, now, count, most: bytes of a reason, known: {id = score, ...}}
Answer  {commands, {id, score, reason or false}, ...}, the newest first; of what is known the reason is not read
Cost    1, and 1 for each that is not known ]]
-- @include "commands"
local call = cjson.decode(ARGV[1])
local found = run('ZREVRANGE', KEYS[1], 0, call.count - 1, 'WITHSCORES')
local answer = {executed}
for place = 1, #found, 2 do
  local id, score = found[place], found[place + 1]
  local reason = call.known[id] ~= score and readAny('HGET', call.prefix .. id, 'failedReason')
  push(answer, {id, score, reason and string.sub(reason, 1, call.most) or false})
end
answer[1] = executed
return answer
