--[[ All keys that begin with the prefix ARGV[1], each as {key, type, {content}}, in JSON, which is read faster
than many values; then the command that was refused. ]]
local READS = {
  string = function(key) return {redis.call('GET', key)} end,
  list = function(key) return redis.call('LRANGE', key, 0, -1) end,
  set = function(key) return redis.call('SMEMBERS', key) end,
  zset = function(key) return redis.call('ZRANGE', key, 0, -1, 'WITHSCORES') end,
  hash = function(key) return redis.call('HGETALL', key) end,
  stream = function() return {'-'} end,
}
local out = {}
for _, key in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do
  local kind = redis.call('TYPE', key).ok
  out[#out + 1] = {key, kind, READS[kind](key)}
end
return {#out > 0 and cjson.encode(out) or '[]', redis.call('GET', 'totality:met') or ''}
