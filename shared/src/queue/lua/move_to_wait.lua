--[[ Moves a page of finished or delayed jobs to `wait`, oldest first.
KEYS  1-15 the queue's (15: this call's receipt)
ARGV  JSON {prefix, now, events: bool, again, state: failed|completed|delayed, until, count}
Answer {commands, {looked at, id, id, ...}}; ids without a job are dropped from the state
Cost  about 7; per finished job 1 (2 on BullMQ 6, for its parent), per delayed one 1; one more with events
As in BullMQ their priorities are ignored; version 5 does not tell the parents. ]]
local set, moved = P .. a.state, {}
local found = r('ZRANGEBYSCORE', set, 0, a['until'], 'LIMIT', 0, int(a.count))
for _, id in ipairs(found) do
  local key, alive = P .. id, nil
  if a.state == 'delayed' then alive = r('EXISTS', key) == 1
  else
    -- What is no hash is no job.
    local fields = try('HDEL', key, 'finishedOn', 'processedOn', WHY[a.state])
    alive = fields and (fields > 0 or r('EXISTS', key) == 1)
    if alive and not five then rejoin(key, r('HGET', key, 'parentKey'), a.state) end
  end
  if alive then
    push(moved, id)
    push(lefts, id)
    if a.events then event(true, 'waiting', 'jobId', id, 'prev', a.state) end
  end
end
if #found > 0 then many('ZREM', set, found) end
flush()
return done({#found, unpack(moved)})
