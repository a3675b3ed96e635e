--[[ Moves up to `claim.count` jobs from waiting to active under one lock token.
claim   {token, count, lockMs, maxBytes, max?, duration?, wait: bool, prioritized: bool, delayed: bool,
        again: bool, openDeduplication: bool}
Keys    wait, prioritized, pc, active, limiter, marker, completed, failed, the jobs' hashes and locks, their `de:`
        keys, and those of promoteDue
Answer  {jobs = as readJob() gives them, status, ms, more}; status: why nothing more was claimed, which ms
        belongs to, of `full` 0, or how many jobs more than may be are active, below 0; more: jobs may wait behind those that were looked at. Ids without a hash are dropped, and
        noted in `missing`.
Cost    about 5, for a lone job 2; a job 3 (HMGET, SET lock, HSET), one more with all events, and where deduplication is opened 1 for
        all and 1 for each that holds an id
Everything is read before anything moves, and an id leaves its list once it stands in `active` under its
lock. So no refusal loses a job. Where that last removal is refused, an id stands twice, and whoever claims
the other one finds its lock or its end, and drops it. ]]
-- @include "promoteDue"
-- @include "findClaimed"
-- The ids at the head of `wait` and then of `prioritized`, in their order; how far down `wait` each of the former
-- stands; how much of `wait` was walked; whether nothing of `prioritized` is left; whether more may wait. A list that
-- the caller leaves out was empty or is left alone; what has come into it has set the marker.
local function idsToClaim(claim, count)
  local found, depths, walked, mayWait = {}, {}, 0, claim.wait
  while claim.wait and #found < count do
    local asked = count - #found
    local page = run('LRANGE', wait, int(-walked - asked), int(-walked - 1))
    for place = #page, 1, -1 do
      walked = walked + 1
      -- BullMQ before version 5 kept its markers in here. What stands behind them comes in their place.
      if string.sub(page[place], 1, 2) ~= '0:' then
        local last = #found + 1
        found[last], depths[last] = page[place], walked
      end
    end
    if #page < asked then
      mayWait = false
      break
    end
  end
  if not claim.prioritized then return found, depths, walked, false, mayWait end
  if #found >= count then return found, depths, walked, false, true end
  local asked = count - #found
  local page = readAny('ZRANGE', prioritized, 0, int(asked - 1)) or {}
  for _, id in ipairs(page) do push(found, id) end
  return found, depths, walked, #page < asked, #page == asked
end
local hasWritten = false
local function setFreeLock(key, claim) return run('SET', key, claim.token, 'PX', claim.lockMs, 'NX') end
-- Takes the job's lock; not while somebody runs it whose removal of another entry was refused.
local function lock(id, claim)
  local key = prefix .. id .. ':lock'
  if not hasWritten then
    hasWritten = true
    local done, isSet = pcall(setFreeLock, key, claim)
    if isSet and done then return true end
    -- A full Redis refuses what needs memory as a script's first write only, so that this one changes nothing.
    if not done then run('LTRIM', wait, 0, -1) end
  end
  if setFreeLock(key, claim) then return true end
  if run('LPOS', active, id) then return false end
  run('SET', key, claim.token, 'PX', claim.lockMs)
  return true
end
-- A duplicate that comes while its job is active is then added, whoever adds it: see
-- QueueOptions::open_deduplication. A key with a time to live stays.
local function openDeduplication(jobs)
  local keys = {}
  for _, job in ipairs(jobs) do
    if job[DEDUPLICATION_ID] then push(keys, prefix .. 'de:' .. job[DEDUPLICATION_ID]) end
  end
  if #keys == 0 then return end
  for place, holder in ipairs(run('MGET', unpack(keys))) do
    for _, job in ipairs(jobs) do
      if job[1] == holder and run('PTTL', keys[place]) == -1 then doom(keys[place]) end
    end
  end
end
local function limiterLeaves(max)
  local used = tonumber(try('GET', limiter) or nil) or 0
  if used < max then return max - used end
  local ms = try('PTTL', limiter) or -1
  if ms > 0 then return 0, ms end
  if ms == 0 then try('DEL', limiter) end
  return max
end
local function claimJobs(claim)
  claim.lockMs = int(claim.lockMs)
  local function nothing(status, ms, more) return {jobs = {}, status = status, ms = ms or 0, more = more} end
  if claim.again then
    local found = findClaimed(claim.token)
    if #found > 0 then return {jobs = found, status = 'claimed', ms = 0} end
  end
  if claim.delayed and promoteDue() then claim.wait = true end
  local count, max = math.min(claim.count, room), settings.max or claim.max
  if max then
    local left, ms = limiterLeaves(max)
    if ms then return nothing(settings.paused and 'paused' or 'limited', ms) end
    count = math.min(count, left)
  end
  if blocked then return nothing(settings.paused and 'paused' or 'full', math.min(room, 0)) end

  local found, depths, walked, isLast, mayWait = idsToClaim(claim, math.ceil(count))
  local jobs, taken, trimmed, bytes, seen, counted, more = {}, {}, walked, 0, {}, 0, false
  local unranked = {}
  for place, id in ipairs(found) do
    local depth, job, size = depths[place], nil, nil
    if not seen[id] then
      seen[id] = true
      job, size = readJob(id)
      if not job then push(missing, id)
      elseif hasEnded(id, job[FINISHED_ON]) then job = nil end
    end
    if job then
      bytes = bytes + size
      if bytes > claim.maxBytes and #jobs > 0 then
        -- It stays where it is, and so does all behind it.
        trimmed, isLast, mayWait, more = depth and depth - 1 or walked, false, true, true
        break
      end
      if lock(id, claim) then
        local last = #jobs + 1
        jobs[last], taken[last] = job, id
        if not job[DEFERRED_FAILURE] then counted = counted + 1 end
      end
    end
    if not depth then push(unranked, id) end
  end
  if #taken > 0 then
    if #found == 1 and trimmed == 1 and depths[1] then
      run('RPOPLPUSH', wait, active)
      trimmed = 0
    else many('LPUSH', active, taken) end
    local noted = 0
    local function noteStarts()
      while noted < #jobs do
        noted = noted + 1
        local job = jobs[noted]
        run('HSET', prefix .. job[1], 'processedOn', nowText,
          'ats', int((tonumber(job[ATTEMPTS_STARTED] or nil) or 0) + 1))
      end
    end
    -- Where one is refused, the others are noted all the same.
    while not pcall(noteStarts) do end
    for _, id in ipairs(tellsAll and taken or {}) do emit('active', 'jobId', id, 'prev', 'waiting') end
  end
  if trimmed > 0 then attempt(run, 'LTRIM', wait, 0, int(-trimmed - 1)) end
  if #unranked > 0 then attempt(many, 'ZREM', prioritized, unranked) end
  -- Not DEL: BullMQ takes `pc` for the id of a job, whose hash it then is.
  if isLast then try('GETDEL', pc) end
  if max and counted > 0 and try('INCRBY', limiter, counted) == counted then
    local duration = claim.duration or settings.duration or 0
    try('PEXPIRE', limiter, int(math.floor(math.abs(duration))))
  end
  if claim.openDeduplication then attempt(openDeduplication, jobs) end
  if #jobs > 0 then
    -- One marker wakes one sleeping worker; the claim is what wakes the next, for what is left.
    if mayWait then wake() end
    return {jobs = jobs, status = 'claimed', ms = 0, more = more}
  end
  if refused then error(refused, 0) end
  -- Nor does what was dropped put the woken one to sleep for good: jobs may wait behind it.
  if #found > 0 and run('EXISTS', wait, prioritized) > 0 then wake() end
  local first = claim.delayed and run('ZRANGE', delayed, 0, 0, 'WITHSCORES')[2]
  return nothing('empty', first and int(math.floor(dueOfScore(first))) or 0, #found > 0)
end
