--[[ Gives jobs whose owner died back to the queue: BullMQ's two-pass rule.
KEYS  1-15 the queue's; 16 stalled-check, 17 repeat
ARGV  JSON {prefix, now, events: off|final|all, intervalMs, maxStalled}
Answer {commands, recovered ids, failed ids, missing ids}; the failed ones carry `defa` and are failed
      by whoever claims them next; the missing ones have no hash, and are dropped
Cost  2 when another peer checked within the interval; else about 8, and per stalled job about 4 ]]
if r('EXISTS', KEYS[16]) == 1 then return {calls, {}, {}, {}} end
r('SET', KEYS[16], ts, 'PX', int(a.intervalMs))
local recovered, doomed, missing = {}, {}, {}
local final = a.events ~= 'off'
if final then try('XTRIM', events, 'MAXLEN', '~', m[5]) end
-- How often a job has stalled by now; what cannot be counted on counts as never before. Nothing for
-- what is no hash, which is no job.
local function stalls(key)
  return r('EXISTS', key) == 1 and (try('HINCRBY', key, 'stc', 1) or try('HSET', key, 'stc', 1) and 1)
end
local suspects = r('SMEMBERS', stalled)
if #suspects > 0 then
  r('DEL', stalled)
  for _, id in ipairs(suspects) do
    local key = P .. id
    if r('EXISTS', key .. ':lock') == 0 and r('LREM', active, 1, id) > 0 then
      room = room + 1
      -- BullMQ before version 5 had markers among the jobs.
      local marks = string.sub(id, 1, 2) == '0:'
      local count = not marks and stalls(key)
      if not count and not marks then push(missing, id) end
      if count then
        push(rights, id)
        push(recovered, id)
        if count > a.maxStalled then
          local rjk = r('HGET', key, 'rjk')
          local live = rjk and (r('EXISTS', P .. 'repeat:' .. rjk) == 1 or r('ZSCORE', P .. 'repeat', rjk))
          if not live then
            r('HSET', key, 'defa', 'job stalled more than allowable limit')
            push(doomed, id)
          end
        end
        if every then event(false, 'waiting', 'jobId', id, 'prev', 'active') end
        if final then event(false, 'stalled', 'jobId', id) end
      end
    end
  end
  -- What left may have made room for one of those that come back.
  blocked = m[1] and true or room <= 0
  flush()
end
many('SADD', stalled, r('LRANGE', active, 0, -1))
return {calls, recovered, doomed, missing}
