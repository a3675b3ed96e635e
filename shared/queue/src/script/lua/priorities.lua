--[[ Counts the prioritized jobs of each priority. Reads only.
KEYS    1 prioritized
ARGV    JSON {most}
Answer  {commands, {priority, jobs, priority, jobs, ...}}, `most` priorities from the most urgent on
Cost    1, and 2 per priority ]]
-- @include "commands"
-- @include "numbers"
-- @include "scores"
local counts, from, most = {}, 0, cjson.decode(ARGV[1]).most
while #counts < 2 * most do
  local first = run('ZRANGEBYSCORE', KEYS[1], int(from), '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  if not first[2] then break end
  local priority = math.floor(tonumber(first[2]) / PLACES_PER_PRIORITY)
  local low = priority * PLACES_PER_PRIORITY
  from = low + PLACES_PER_PRIORITY
  push(counts, priority, run('ZCOUNT', KEYS[1], int(low), int(from - 1)))
end
return {executed, counts}
