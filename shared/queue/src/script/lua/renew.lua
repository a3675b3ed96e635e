--[[ Renews the locks of claimed jobs.
KEYS    1 stalled, then one lock a job
ARGV    JSON {prefix, now, token, lockMs, ids}
Answer  {commands, ids whose lock is lost}
Cost    2, and 1 a job that is still ours
Runs again: does the same. ]]
-- @include "commands"
local call = cjson.decode(ARGV[1])
local kept, lost = {}, {}
for place, held in ipairs(run('MGET', unpack(KEYS, 2))) do
  if held == call.token then
    run('SET', KEYS[1 + place], held, 'PX', string.format('%.0f', call.lockMs))
    push(kept, call.ids[place])
  else
    push(lost, call.ids[place])
  end
end
-- A job whose lock was renewed is not suspected any more.
if #kept > 0 then try('SREM', KEYS[1], unpack(kept)) end
return {executed, lost}
