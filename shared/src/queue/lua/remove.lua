--[[ Removes one job in any state, and its children first.
KEYS  1-15 the queue's (15: this call's receipt), then the job's own, waiting-children, repeat
ARGV  JSON {prefix, now, events: bool, again: bool, id}
Answer {commands, {code, state}}: 1 removed; -1 no such job; 0 it or an open child is locked; -8 it is
      the next job of a scheduler. Only after 1 was anything written.
Cost  about 16; for each child 12 more ]]
local LISTS, SETS = {'wait', 'paused', 'active'}, {'completed', 'waiting-children', 'delayed', 'failed', 'prioritized'}
local function locked(key)
  if r('EXISTS', key .. ':lock') == 1 then return true end
  for _, child in ipairs(r('SMEMBERS', key .. ':dependencies')) do
    if locked(child) then return true end
  end
end
local function leave(base, id)
  for _, set in ipairs(SETS) do
    if r('ZREM', base .. set, id) == 1 then return set end
  end
  for _, list in ipairs(LISTS) do
    if r('LREM', base .. list, 1, id) == 1 then return list end
  end
  return 'unknown'
end
local function remove(base, id, parent)
  local key = base .. id
  detach(key, parent or r('HGET', key, 'parentKey'), false)
  local kin = six(key, {})
  if r('EXISTS', unpack(kin, 3)) > 0 then
    for _, children in ipairs({r('HKEYS', kin[4]), r('HKEYS', kin[5]), r('ZRANGE', kin[6], 0, -1),
      r('SMEMBERS', kin[3])}) do
      for _, child in ipairs(children) do
        local home, own = cut(child)
        remove(home, own, key)
      end
    end
  end
  local prev = leave(base, id)
  undedup(base, id, r('HGET', key, 'deid'))
  local gone = r('DEL', unpack(kin)) > 0
  if gone and a.events then
    local most = base == P and m[5] or r('HGET', base .. 'meta', 'opts.maxLenEvents') or 10000
    r('XADD', base .. 'events', 'MAXLEN', '~', most, '*', 'event', 'removed', 'jobId', id, 'prev', prev)
  end
  return (gone or prev ~= 'unknown') and 1 or -1, prev
end
if current(a.id, r('HGET', P .. a.id, 'rjk')) then return {calls, {-8, ''}} end
if locked(P .. a.id) then return {calls, {0, ''}} end
return done({remove(P, a.id)})
