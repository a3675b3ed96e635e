--[[ Counts the prioritized jobs of each priority. Reads only.
KEYS  1 prioritized
ARGV  JSON {most}
Answer {commands, {priority, jobs, priority, jobs, ...}}, `most` priorities from the most urgent on
Cost  1, and 2 per priority ]]
local calls, out, from, most = 0, {}, 0, cjson.decode(ARGV[1]).most
local function r(...)
  calls = calls + 1
  return redis.call(...)
end
while #out < 2 * most do
  local first = r('ZRANGEBYSCORE', KEYS[1], string.format('%.0f', from), '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  if not first[2] then break end
  local priority = math.floor(tonumber(first[2]) / 4294967296)
  local low = string.format('%.0f', priority * 4294967296)
  from = (priority + 1) * 4294967296
  out[#out + 1] = priority
  out[#out + 1] = r('ZCOUNT', KEYS[1], low, string.format('%.0f', from - 1))
end
return {calls, out}
