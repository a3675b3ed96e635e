-- Every key below a prefix: name, type, time to live and content; of a stream what came after an id.
-- Keys of the queue library's own are left out: BullMQ has none of them.
-- ARGV: prefix, then pairs of a stream's key and the id that was its last.
local since, out = {}, {}
for i = 2, #ARGV, 2 do since[ARGV[i]] = ARGV[i + 1] end
for _, key in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do
  local kind = redis.call('TYPE', key).ok
  local content
  if kind == 'string' then content = redis.call('GET', key)
  elseif kind == 'list' then content = redis.call('LRANGE', key, 0, -1)
  elseif kind == 'set' then content = redis.call('SMEMBERS', key)
  elseif kind == 'zset' then content = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
  elseif kind == 'hash' then content = redis.call('HGETALL', key)
  elseif kind == 'stream' then content = redis.call('XRANGE', key, '(' .. (since[key] or '0-0'), '+') end
  if not string.find(key, ':batchmq:', 1, true) then
    out[#out + 1] = {key, kind, redis.call('PTTL', key), content}
  end
end
return out
