--[[ What a job's end or removal means for its parent, which may be of another queue.
Keys    the job's hash; <parent>:dependencies, :processed, :failed, :unsuccessful; the parent's queue's
        waiting-children, delayed, failed, meta, wait, paused, prioritized, pc, active, marker, events
Cost    1 for a job without a parent; 3 to 5 with one, and about 8 to release it
A parent stands in its new place before it leaves `waiting-children`. When a write is refused the whole is
undone as far as it counts: the child stands in :dependencies again, and does not end, so that its next run
tells its parent. Of a key of the wrong type nothing can be read: the child ends without its parent. ]]
-- @include "placeJob"
-- @include "emit"
-- The queue's prefix and the id in a job's key. Ids may hold colons, so for another queue the cut is where a
-- queue is known; BullMQ cuts at the last colon.
local function cutKey(key)
  if string.sub(key, 1, #prefix) == prefix then return prefix, string.sub(key, #prefix + 1) end
  local last = string.match(key, '^.*:') or ''
  local base = last
  while base and run('EXISTS', base .. 'meta') == 0 do base = string.match(base, '^(.*:)[^:]*:$') end
  base = base or last
  return base, string.sub(key, #base + 1)
end
-- {key, base, id, flags} of the parent that a job's hash names. What cannot be read of it counts as not stored.
local function parentOf(key)
  local found = readAny('HMGET', key, 'parentKey', 'parent') or {}
  local isRead, flags = pcall(cjson.decode, found[2] or '{}')
  if not isRead or type(flags) ~= 'table' then flags = {} end
  local function text(value) return (type(value) == 'string' or type(value) == 'number') and value .. '' end
  local id, queueKey = text(flags.id), text(flags.queueKey)
  local parentKey = found[1] or (id and queueKey and queueKey .. ':' .. id)
  if not parentKey or parentKey == '' then return end
  if id and queueKey then return {key = parentKey, base = queueKey .. ':', id = id, flags = flags} end
  local base, ownId = cutKey(parentKey)
  if id then base = string.sub(parentKey, 1, -#id - 1) end
  id = id or ownId
  return id ~= '' and {key = parentKey, base = base, id = id, flags = flags} or nil
end
-- Lets a parent go on that waits for its children: to where its priority and delay put it or, for a child
-- that was removed (`plainly`), to the head of `wait`, as in BullMQ. `isTold`: with events.
local function releaseParent(parent, plainly, isTold)
  local base, id = parent.base, parent.id
  -- What the batch has put into this queue so far stands before it.
  if base == prefix then placeNoted() end
  if not run('ZSCORE', base .. 'waiting-children', id) then return false end
  local job = plainly and {} or run('HMGET', parent.key, 'priority', 'delay')
  local queue = run('HMGET', base .. 'meta', 'paused', 'concurrency')
  local isHeld = queue[1] or (queue[2] and run('LLEN', base .. 'active') >= (tonumber(queue[2]) or math.huge))
  local priority, delay = tonumber(job[1]) or 0, tonumber(job[2]) or 0
  if delay > 0 then run('ZADD', base .. 'delayed', digits(scoreDue(now + delay)), id)
  elseif priority > 0 then
    run('ZADD', base .. 'prioritized', scoreRanked(priority, run('INCR', base .. 'pc')), id)
  else run('RPUSH', waitingList(base, queue[1]), id) end
  attempt(run, 'ZREM', base .. 'waiting-children', id)
  if delay > 0 then
    if isTold then emitAt(base, 'delayed', 'jobId', id, 'delay', digits(now + delay)) end
    wakeWhenDue(base .. 'delayed', base .. 'marker')
  else
    if not isHeld then try('ZADD', base .. 'marker', 0, '0') end
    if isTold then emitAt(base, 'waiting', 'jobId', id, 'prev', 'waiting-children') end
  end
  return true
end
-- Runs `tell` with the parent that depends on the child at `key` still; its refusal undoes what was begun.
local function withDependency(key, parent, tell)
  local dependencies = parent.key .. ':dependencies'
  if run('SREM', dependencies, key) == 0 then return end
  local done, refusal = pcall(tell, dependencies)
  if done then return end
  try('SADD', dependencies, key)
  error(refusal, 0)
end
local function tolerateWrongTypes(action, ...)
  local done, refusal = pcall(action, ...)
  if not done and not isWrongType(refusal) then error(refusal, 0) end
end
local function tellCompletion(parent, key, value, dependencies)
  run('HSET', parent.key .. ':processed', key, value)
  if run('SCARD', dependencies) == 0 and run('EXISTS', parent.key) == 1 then
    releaseParent(parent, false, tellsAll)
  end
end
local function tellFailure(parent, key, reason, dependencies)
  local base, id, flags = parent.base, parent.id, parent.flags
  if flags.fpof then
    run('ZADD', parent.key .. ':unsuccessful', nowText, key)
    if run('EXISTS', parent.key) == 0 then return end
    local waits = run('ZSCORE', base .. 'waiting-children', id)
    if not waits and run('ZSCORE', base .. 'delayed', id) then
      run('HSET', parent.key, 'delay', 0)
      run('ZADD', base .. 'waiting-children', nowText, id)
      run('ZREM', base .. 'delayed', id)
      waits = true
    end
    if waits or not run('ZSCORE', base .. 'failed', id) then
      run('HSET', parent.key, 'defa', 'child ' .. key .. ' failed')
    end
    if waits then releaseParent(parent, false, tellsAll) end
  elseif flags.cpof then
    run('HSET', parent.key .. ':failed', key, reason)
    if run('EXISTS', parent.key) == 1 then releaseParent(parent, false, tellsAll) end
  else
    if run('SCARD', dependencies) == 0 and run('EXISTS', parent.key) == 1 then
      releaseParent(parent, false, tellsAll)
    end
    -- The parent goes on already: nothing may undo the rest.
    if flags.idof then try('HSET', parent.key .. ':failed', key, reason) end
  end
end
-- A job completed with `value`, or failed for good.
local function returnToParent(key, hasCompleted, value)
  tolerateWrongTypes(function()
    local parent = parentOf(key)
    if not parent then return end
    local flags = parent.flags
    if not hasCompleted and not (flags.fpof or flags.cpof or flags.idof or flags.rdof) then return end
    local tell = hasCompleted and tellCompletion or tellFailure
    withDependency(key, parent, function(dependencies) tell(parent, key, value, dependencies) end)
  end)
end
-- A job's hash goes, and with it the place among its parent's dependencies that it may still have.
local function leaveParent(key)
  tolerateWrongTypes(function()
    local parent = parentOf(key)
    if not parent then return end
    withDependency(key, parent, function(dependencies)
      if run('SCARD', dependencies) == 0 then releaseParent(parent, true, tellsAll) end
    end)
  end)
end
