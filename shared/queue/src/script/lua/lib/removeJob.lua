--[[ Takes jobs away with all that hangs on them: their keys, their deduplication, their place in a flow. The
jobs of a flow may live in other queues, whose keys follow from the jobs' own.
Keys  the job's, de:<id>, dn:<id>, and those of returnToParent
Cost  1 a job for its fields, one more with a deduplication id, about 3 more with a parent ]]
-- @include "deleteJob"
-- @include "returnToParent"
-- A deduplication key that still names the job goes with it, and what waits behind it.
local function forgetHolder(base, id, deid)
  local key = deid and base .. 'de:' .. deid
  -- MGET answers nothing for a key of another type, where GET fails.
  if key and run('MGET', key)[1] == id then run('DEL', key, base .. 'dn:' .. deid) end
end
-- Takes a job out of its parent's dependencies. A parent that waited for nothing else goes on or, when
-- children are swept away with `isSwept`, is deleted too if it is of this queue.
local function detachChild(key, parentKey, isSwept)
  if not parentKey or parentKey == '' then return end
  local base, id = cutKey(parentKey)
  withDependency(key, {key = parentKey}, function(dependencies)
    if run('SCARD', dependencies) > 0 then return end
    if not isSwept or base ~= prefix then
      return releaseParent({key = parentKey, base = base, id = id}, true, tellsAll and not isSwept)
    end
    local parent = run('HMGET', parentKey, 'parentKey', 'deid')
    if not run('ZSCORE', base .. 'waiting-children', id) then return end
    tolerateWrongTypes(detachChild, parentKey, parent[1], true)
    run('ZREM', base .. 'waiting-children', id)
    forgetHolder(base, id, parent[2])
    deleteJob(parentKey)
  end)
end
-- Whether it is the job that a live scheduler waits for: without it the schedule would end.
local function isNextOfScheduler(id, scheduler)
  local at = scheduler and run('ZSCORE', prefix .. 'repeat', scheduler)
  return at and id == 'repeat:' .. scheduler .. ':' .. at
end
-- Its keys go with the next sweep(), whatever type its parent's are of. Whether they do: where its parent could
-- not be told it stays, or nobody would release that one.
local function discardJob(id, parentKey, deid)
  if not attempt(tolerateWrongTypes, detachChild, prefix .. id, parentKey, true) then return false end
  forgetHolder(prefix, id, deid)
  deleteJob(prefix .. id)
  return true
end
