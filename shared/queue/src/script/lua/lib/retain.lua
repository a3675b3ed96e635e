--[[ Ends jobs in `completed` or `failed`, and makes room there: jobs with the same retention go together.
keep    {count (-1: all, 0: none), age? in seconds, limit?: removals a finish}
Keys    completed, failed; the keys of jobs that go
Cost    placeFinished(): 1 for each retention; retain(): 1 for an age, 1 for a count (1 for both, of completed jobs
        of which as many are kept as may be), 1 where any goes, and 1 for each failed one that does, which its
        parent may still depend on ]]
-- @include "deleteJob"
-- @include "returnToParent"
local groups, lastGroup = {}, {}
local function noteFinished(target, id, keep)
  local same = keep.count .. '/' .. (keep.age or '') .. '/' .. (keep.limit or '')
  local group = lastGroup[target]
  if not group or group.same ~= same then
    group = {same = same, keep = keep, target = target, ids = {}, scored = {}}
    lastGroup[target] = group
    push(groups, group)
  end
  push(group.ids, id)
  push(group.scored, nowText, id)
end
-- Each job stands in its last state; those that could not be put there are noted in `unplaced`.
local function placeFinished()
  for _, group in ipairs(groups) do
    place(group.ids, function() many('ZADD', group.target, group.scored) end)
  end
end
-- What has left its set goes with the next sweep(). One that cannot leave may stand elsewhere, too: it stays.
local function evict(target, old)
  if #old == 0 then return end
  -- A completed child has left its parent's dependencies already; a failed one may be there still.
  if target == failed then
    for _, id in ipairs(old) do leaveParent(prefix .. id) end
  end
  many('ZREM', target, old)
  for _, id in ipairs(old) do deleteJob(prefix .. id) end
end
-- At most a thousand removals a call: the first finish on a queue that kept all must not stall Redis.
local function retain()
  -- What ended later in the batch stands there already, and does not count for what ended before it.
  local order, later = {}, {[completed] = 0, [failed] = 0}
  for place, group in ipairs(groups) do
    for _, id in ipairs(group.ids) do order[id] = place end
    later[group.target] = later[group.target] + #group.ids
  end
  for place, group in ipairs(groups) do
    local keep, target = group.keep, group.target
    later[target] = later[target] - #group.ids
    local age, isBounded = keep.age, keep.count > 0
    if age and isBounded and target == completed and later[target] == 0 then
      -- One look for both: if the last one that may stay is young enough, all that go stand behind it.
      local found = run('ZREVRANGE', target, int(keep.count - 1), int(keep.count + 999), 'WITHSCORES')
      if #found == 0 then isBounded = false
      elseif #found <= 2000 and tonumber(found[2]) > now - age * 1000 then
        age, isBounded = nil, false
        local old = {}
        for at = 3, #found, 2 do push(old, found[at]) end
        evict(target, old)
      end
    end
    if age then
      local limit = keep.limit or 1000
      local most = math.min(limit * #group.ids, math.max(limit, 1000))
      evict(target, run('ZREVRANGEBYSCORE', target, now - age * 1000, '-inf', 'LIMIT', 0, int(most)))
    end
    if isBounded then
      local before, ahead = {}, later[target]
      for _, id in ipairs(run('ZREVRANGE', target, int(keep.count), int(keep.count + ahead + 999))) do
        if (order[id] or 0) > place then ahead = ahead - 1 else push(before, id) end
      end
      -- As many of those that ended later stand before the range, in the places of as many that stay.
      evict(target, {unpack(before, ahead + 1)})
    end
  end
end
