--[[ Renews the locks of claimed jobs.
KEYS  1 stalled, then one lock a job
ARGV  JSON {prefix, now, token, lockMs, ids}
Answer {commands, ids whose lock is lost}
Cost  2, and 1 a job that is still ours
Runs again: does the same. ]]
local a = cjson.decode(ARGV[1])
local calls, kept, lost = 1, {}, {}
for i, held in ipairs(redis.call('MGET', unpack(KEYS, 2))) do
  if held == a.token then
    redis.call('SET', KEYS[1 + i], held, 'PX', string.format('%.0f', a.lockMs))
    kept[#kept + 1] = a.ids[i]
  else
    lost[#lost + 1] = a.ids[i]
  end
end
calls = calls + #kept
-- A job whose lock was renewed is not suspected any more.
if #kept > 0 then
  redis.call('SREM', KEYS[1], unpack(kept))
  calls = calls + 1
end
return {calls, lost}
