--[[ Deletes a page of the jobs of one state that are old enough. The pages of one window (BullMQ's call)
follow each other; `skip` jobs were looked at and stay.
KEYS  1-15 the queue's (15: this call's receipt), then waiting-children, repeat
ARGV  JSON {prefix, now, events: bool, again, state, before: ms, skip, size, left, gone}; left: of this
      window, this page included; gone: deleted in this window so far
Answer {commands, {looked at, id, id, ...}}
Cost  about 5, and per job 1; more for jobs with parents, deduplication or a scheduler
A finished job's age counts from its end, another's from when it was last taken, else added. Active
jobs go only when unlocked, the next job of a scheduler never. ]]
local AGES = {wait = {4, 5, 6}, paused = {4, 5, 6}, active = {4, 5, 6}, delayed = {5, 6}, prioritized = {6}}
local key, ages = P .. a.state, AGES[a.state]
local list = a.state == 'wait' or a.state == 'paused' or a.state == 'active'
local page
-- The right end of a list is its oldest.
if list then page = r('LRANGE', key, int(-a.skip - a.size), int(-a.skip - 1))
elseif ages then page = r('ZRANGE', key, int(a.skip), int(a.skip + a.size - 1))
else page = r('ZRANGEBYSCORE', key, 0, int(a.before), 'LIMIT', int(a.skip), int(a.size)) end
local locks, gone, places = {}, {}, {}
if a.state == 'active' and #page > 0 then
  for _, id in ipairs(page) do push(locks, P .. id .. ':lock') end
  locks = r('MGET', unpack(locks))
end
for i, id in ipairs(page) do
  if not locks[i] then
    local job = fields(id, 'parentKey', 'deid', 'rjk', 'finishedOn', 'processedOn', 'timestamp')
    local at
    for _, field in ipairs(ages or {}) do at = at or tonumber(job[field] or nil) end
    if not ages or (not (at and at > a.before) and not current(id, job[3])) then
      discard(id, job[1], job[2])
      push(gone, id)
      push(places, i - 1 - #page - a.skip)
    end
  end
end
if #gone > 0 then
  if not list then many('ZREM', key, gone)
  elseif #gone == #page and a.skip == 0 then r('LTRIM', key, 0, int(-#page - 1))
  else
    for _, place in ipairs(places) do r('LSET', key, int(place), '') end
    r('LREM', key, int(-#gone), '')
  end
  sweep()
end
if a.events and (#page < a.size or a.size >= a.left) then event(false, 'cleaned', 'count', int(a.gone + #gone)) end
return done({#page, unpack(gone)})
