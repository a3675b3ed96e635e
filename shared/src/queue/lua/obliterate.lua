--[[ Deletes a page of the queue, and with the last one the queue itself.
KEYS  1-15 the queue's (15: this call's receipt), then others of the queue's own
ARGV  JSON {prefix, now, events: bool, again, count, force: bool}
Answer {commands, {code, jobs}}: 1 there is more, 0 all is gone, -1 not paused, -2 jobs are active
Cost  about 20, and per job 1; more for jobs with parents or deduplication
Like BullMQ it leaves the limiter, parents that wait for children, and other jobs' deduplication. ]]
if not m[1] then return {calls, {-1, 0}} end
if not a.force and r('LLEN', active) > 0 then return {calls, {-2, 0}} end
local left, jobs = a.count, 0
local function away(found)
  for _, id in ipairs(found) do
    local job = fields(id, 'parentKey', 'deid')
    discard(id, job[1], job[2])
  end
  left, jobs = left - #found, jobs + #found
end
local function list(key)
  if left <= 0 then return end
  local found = r('LRANGE', key, 0, int(left - 1))
  if #found == 0 then return end
  if key == active then
    for _, id in ipairs(found) do push(trash, P .. id .. ':lock') end
  end
  away(found)
  r('LTRIM', key, #found, -1)
end
local function set(key, of)
  if left <= 0 then return end
  local found = r('ZRANGE', key, 0, int(left - 1))
  if #found == 0 then return end
  if of then
    for _, id in ipairs(found) do push(trash, of .. id) end
    left = left - #found
  else
    away(found)
  end
  many('ZREM', key, found)
end
list(active)
set(delayed)
set(P .. 'repeat', P .. 'repeat:')
set(completed)
list(wait)
list(paused)
set(prioritized)
set(failed)
if left > 0 then
  for _, name in ipairs({'events', 'delay', 'stalled-check', 'stalled', 'id', 'pc', 'marker', 'meta',
    'metrics:completed', 'metrics:completed:data', 'metrics:failed', 'metrics:failed:data'}) do push(trash, P .. name) end
end
sweep()
return done({left > 0 and 0 or 1, jobs})
