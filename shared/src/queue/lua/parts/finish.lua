--[[ Part: a job reaches its last state, and retention makes room. ]]
local final = every or a.events == 'final'
local function discard(id)
  local key = P .. id
  push(trash, key, key .. ':logs', key .. ':dependencies', key .. ':processed', key .. ':failed',
    key .. ':unsuccessful')
end
local function evict(target, old)
  if #old == 0 then return end
  for _, id in ipairs(old) do
    -- A completed child has left its parent's dependencies already; a failed one may be there still.
    if target == failed and leave then leave(P .. id) end
    discard(id)
  end
  many('ZREM', target, old)
end
-- At most a thousand removals a call: the first finish on a queue that kept all must not stall Redis.
local function retain(target, run)
  local keep = run.keep
  many('ZADD', target, run.scored)
  if keep.age then
    local limit = keep.limit or 1000
    local most = math.min(limit * #run.scored / 2, math.max(limit, 1000))
    evict(target, r('ZREVRANGEBYSCORE', target, now - keep.age * 1000, '-inf', 'LIMIT', 0, int(most)))
  end
  if keep.count > 0 then evict(target, r('ZREVRANGE', target, int(keep.count), int(keep.count + 999))) end
end
local runs, last = {}, {}
-- Jobs with the same retention go together: one ZADD, and retention once after it.
local function finish(j, key, target, fields)
  local keep = j.keep
  if pending and j.deid then requeue(j.deid) end
  if kin then kin(j, key) end
  if keep.count == 0 then
    if leave then leave(key) end
    return discard(j.id)
  end
  push(fields, 'atm', int(j.atm), 'finishedOn', ts)
  r('HSET', key, unpack(fields))
  local same = keep.count .. '/' .. (keep.age or '') .. '/' .. (keep.limit or '')
  local run = last[target]
  if not run or run.same ~= same then
    run = {same = same, keep = keep, target = target, scored = {}}
    last[target] = run
    push(runs, run)
  end
  push(run.scored, ts, j.id)
end
