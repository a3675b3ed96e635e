--[[ What time does to the queues whose prefixes are ARGV: locks end, the next look for stalled jobs is due,
limits are over, deduplication keys with a time to live are gone; and an operator lifts the queue's own limits.
Answers for each queue how many jobs wait, are delayed, and are active. ]]
for _, base in ipairs(ARGV) do
  for _, key in ipairs(redis.call('KEYS', base .. '*:lock')) do redis.call('DEL', key) end
  for _, key in ipairs(redis.call('KEYS', base .. 'de:*')) do
    if redis.call('PTTL', key) > 0 then redis.call('DEL', key) end
  end
  redis.call('DEL', base .. 'stalled-check', base .. 'limiter')
  redis.pcall('HDEL', base .. 'meta', 'concurrency', 'max', 'duration')
end
-- A job may be called as one of these keys is.
local function count(command, key)
  local answer = redis.pcall(command, key)
  return type(answer) == 'number' and answer or 0
end
local out = {}
for i, base in ipairs(ARGV) do
  out[i] = {
    count('LLEN', base .. 'wait') + count('LLEN', base .. 'paused') + count('ZCARD', base .. 'prioritized'),
    count('ZCARD', base .. 'delayed'),
    count('LLEN', base .. 'active'),
  }
end
return out
