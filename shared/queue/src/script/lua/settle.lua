--[[ Settles a batch of claimed jobs, each in its own way, and may claim the next.
KEYS    1-15 the queue's (15: this call's receipt), then every key of these jobs that is known beforehand: those
        of a job follow from its id
ARGV    JSON {prefix, now, events: off|final|all, settle: {token, receiptMs, again: bool, metrics?: minutes,
        jobs: [{id, act, kin: bool, ...}]}, claim?: see lib/claimJobs.lua}
        id: or `hex`, where JSON cannot carry it; kin: a parent may have to hear of the job; act is
          complete {value, keep, atm, deid?, last?}    fail {value, stack, keep, atm, attempts, deid?, last?}
          retry {value, stack, atm, delay: ms, lifo}   release {}   postpone {}
        keep: see lib/retain.lua
Answer  {commands, codes, requeued, missing}, and with a claim {…, as claim.lua's}, without one {…, left}; a
        code a job: 0, or BullMQ's -1 no job, -2 no lock, -3 not active, -4 and -9 children open or failed, -6
        another's lock; left: the sum of 1, 2, 4, 8 and 16 where jobs are left in wait, paused, prioritized, delayed
        and active, or -1 where that is not known
Cost    about 10, for a lone job 8, retention included; a kept job 1 (HSET), a failed one 2, one with kin 1 and what
        its parent takes (lib/returnToParent.lua); one more with events; and those of the claim
Runs again with `again` and the same receipt key: answers what the first run answered.
All is checked before the first write, and a job with a code is left alone; but one whose key is no hash by then
has -1 and leaves. A job stands in its new state before
it leaves `active`, and loses its lock after that. One whose write is refused stays active, to be run again; the
call then does what it can for the others, and fails with the refusal. ]]
-- @include "commands"
-- @include "queue"
-- @include "settings"
-- @include "claimJobs"
-- @include "releaseDeduplication"
-- @include "retain"
-- @include "countMetrics"
local settling = call.settle
local jobs, codes = settling.jobs, {}
-- Whether all jobs complete and nobody else hears of it, so that they go where no setting counts.
local isPlain = true
for _, job in ipairs(jobs) do isPlain = isPlain and job.act == 'complete' and not job.kin end
if call.claim or tellsFinal or not isPlain then readSettings() end
-- How the last one ended: BullMQ looks whether the queue is drained only when a job finishes.
local lastAct
local isPromoted, added = false, {}
-- As in the answer; the same of a small plain batch without `active`, seen before the first write; and whether any job
-- was active at the last recovery pass.
local left, seen, isSuspected

local function keyOf(job) return prefix .. job.id end
local function isFinish(job) return job.act == 'complete' or job.act == 'fail' end

-- How many keys of each group exist, for one command: EXISTS counts a key as often as it is named.
local function countExisting(groups)
  local keys, weights, weight = {}, {}, 1
  for place, group in ipairs(groups) do
    for _, key in ipairs(group) do
      for _ = 1, weight do push(keys, key) end
    end
    weights[place], weight = weight, weight * (#group + 1)
  end
  local sum, counts = run('EXISTS', unpack(keys)), {}
  for place = #groups, 1, -1 do
    counts[place] = math.floor(sum / weights[place])
    sum = sum % weights[place]
  end
  return counts
end

-- The jobs that may end, in order; and whether anything stands beside them: children, or what a Node producer left
-- to be done after one of them (`dn:`).
local function check()
  local names, hashes, others, released = {}, {}, {}, {}
  for _, job in ipairs(jobs) do
    if job.hex then job.id = string.gsub(job.hex, '%x%x', function(byte) return string.char(tonumber(byte, 16)) end) end
    local key = keyOf(job)
    push(names, key .. ':lock')
    push(hashes, key)
    push(others, key .. ':dependencies', key .. ':unsuccessful')
    if job.deid and isFinish(job) then
      push(others, prefix .. 'dn:' .. job.deid)
      push(released, job)
    end
  end
  for _, job in ipairs(released) do push(names, prefix .. 'de:' .. job.deid) end
  local held = run('MGET', unpack(names))
  for place, job in ipairs(released) do job.holder = held[#jobs + place] end
  local groups, besides = {hashes, {stalled}}
  -- Of many jobs each key more would have to be named too often.
  if isPlain and #jobs <= 10 and not call.claim then push(groups, {wait}, {paused}, {prioritized}, {delayed}) end
  if #jobs == 1 then table.insert(groups, 1, others) else besides = run('EXISTS', unpack(others)) end
  local counts = countExisting(groups)
  besides = besides or table.remove(counts, 1)
  local existing = counts[1]
  isSuspected = counts[2] == 1
  if besides == 0 and counts[3] then seen = counts[3] + 2 * counts[4] + 4 * counts[5] + 8 * counts[6] end
  local good = {}
  for place, job in ipairs(jobs) do
    local key, code = hashes[place], 0
    local isParent = besides > 0 and job.act == 'complete'
    if existing < #jobs and run('EXISTS', key) == 0 then code = -1
    elseif isParent and (readAny('SCARD', key .. ':dependencies') or 0) > 0 then code = -4
    elseif isParent and (readAny('ZCARD', key .. ':unsuccessful') or 0) > 0 then code = -9
    elseif held[place] ~= settling.token then code = held[place] and -6 or -2 end
    codes[place] = code
    job.place = place
    if code == 0 then push(good, job) end
  end
  return good, besides > 0
end

-- Back to where it would wait had it just been added, or to the front of that. Its priority may be another
-- one than when it was claimed.
local function placeBack(job, atFront)
  local priority = tonumber(try('HGET', keyOf(job), 'priority') or nil) or 0
  -- What is not equal to itself is no number.
  if priority == 0 or priority ~= priority then placeWaiting(job.id, atFront)
  elseif atFront and job.act == 'release' then
    place({job.id}, function() run('ZADD', prioritized, scoreRanked(priority, 0), job.id) end)
  else placePrioritized(job.id, priority) end
  if tellsAll then emitTrimming('waiting', 'jobId', job.id, 'prev', 'active') end
end

local function finish(job, fields)
  local key, hasCompleted = keyOf(job), job.act == 'complete'
  if job.kin then returnToParent(key, hasCompleted, job.value) end
  if job.keep.count == 0 then
    if job.kin and not hasCompleted then leaveParent(key) end
    return deleteJob(key)
  end
  push(fields, 'atm', int(job.atm), 'finishedOn', nowText)
  run('HSET', key, unpack(fields))
  noteFinished(hasCompleted and completed or failed, job.id, job.keep)
end

local conclude = {}
function conclude.complete(job)
  finish(job, {'returnvalue', job.value})
  if tellsFinal then emit('completed', 'jobId', job.id, 'returnvalue', job.value, 'prev', 'active') end
end
function conclude.fail(job)
  if job.keep.count ~= 0 then run('HDEL', keyOf(job), 'defa') end
  finish(job, {'failedReason', job.value, 'stacktrace', job.stack})
  if tellsFinal then emit('failed', 'jobId', job.id, 'failedReason', job.value, 'prev', 'active') end
  if tellsAll and job.atm >= job.attempts then
    emit('retries-exhausted', 'jobId', job.id, 'attemptsMade', int(job.atm))
  end
end
function conclude.retry(job)
  local fields = {'failedReason', job.value, 'stacktrace', job.stack, 'atm', int(job.atm)}
  if job.delay ~= 0 then push(fields, 'delay', job.delay .. '') end
  run('HSET', keyOf(job), unpack(fields))
  if job.delay ~= 0 then
    local dueMs = now + math.max(job.delay, 0)
    placeDelayed(job.id, dueMs)
    if tellsAll then emitTrimming('delayed', 'jobId', job.id, 'delay', dueMs) end
    return
  end
  -- What fell due meanwhile goes before it.
  if not isPromoted then
    isPromoted = true
    placeNoted()
    pcall(promoteDue)
  end
  placeBack(job, job.lifo)
end
function conclude.postpone(job) placeBack(job, false) end

local function leaveActive(all, leaving, count)
  if count == 0 then return end
  local rest = {}
  for _, id in ipairs(all) do
    if not leaving[id] then push(rest, id) end
  end
  if seen then left = seen + (#rest > 0 and 16 or 0) end
  -- An empty one goes with the locks, in one command.
  if #rest == 0 then doom(active)
  elseif count == 1 or #rest > 40 * count then
    for id in pairs(leaving) do run('LREM', active, 0, id) end
  else
    many('RPUSH', active, rest)
    run('LTRIM', active, #all, -1)
  end
end

local function settle()
  local before = settling.again and run('GET', receipt)
  if before then
    codes = cjson.decode(before)
    return
  end
  local good, isAnythingBeside = check()
  -- What stands beside may be added.
  if isAnythingBeside then
    isPlain = false
    if not settings.maxEvents then readSettings() end
  end
  if #good == 0 then return end
  local all, isActive = run('LRANGE', active, 0, -1), {}
  for _, id in ipairs(all) do isActive[id] = true end
  local ending, names = {}, {}
  for _, job in ipairs(good) do
    if isActive[job.id] then
      push(ending, job)
      push(names, job.id)
    else codes[job.place] = -3 end
  end
  if #ending == 0 then return end

  -- The first write, which a full Redis does not refuse; after one it refuses none. Jobs that are kept can do without.
  if isSuspected or not isPlain or ending[1].keep.count == 0 then try('SREM', stalled, unpack(names)) end
  if tellsFinal then try('XTRIM', events, 'MAXLEN', '~', settings.maxEvents) end
  room = room + #ending
  blocked = settings.paused or room <= 0

  local released, isNextAdded = {}, {}
  for _, job in ipairs(ending) do
    lastAct = job.act
    if job.act == 'release' then push(released, job)
    else
      if isAnythingBeside and job.deid and isFinish(job) and not isNextAdded[job.deid] then
        -- A job ends whatever a duplicate left behind.
        local isAdded, id = pcall(addNext, job.deid)
        if isAdded and id then push(added, {id = id, key = prefix .. 'dn:' .. job.deid}) end
        isNextAdded[job.deid] = isAdded
      end
      local done, refusal = pcall(conclude[job.act], job)
      if not done and isPlain then
        -- A full Redis refuses what needs memory as the first write only, so that this one changes nothing.
        run('LTRIM', active, 0, -1)
        done, refusal = pcall(conclude[job.act], job)
      end
      if not done and isWrongType(refusal) then codes[job.place] = -1
      elseif not done then
        refused = refused or refusal
        unplaced[job.id] = true
      end
    end
  end
  -- The last one pushed is the next to run, so the first of the batch goes last.
  for place = #released, 1, -1 do placeBack(released[place], true) end
  if #released > 0 then lastAct = nil end
  placeFinished()
  placeNoted()

  local leaving, count, ended, deduplicated = {}, 0, {complete = 0, fail = 0}, {}
  for _, job in ipairs(ending) do
    if not unplaced[job.id] then
      leaving[job.id], count = true, count + 1
      doom(keyOf(job) .. ':lock')
      if isFinish(job) then
        if job.deid then push(deduplicated, job) end
        if codes[job.place] == 0 then ended[job.act] = ended[job.act] + 1 end
      end
    end
  end
  attempt(leaveActive, all, leaving, count)
  if #deduplicated > 0 then attempt(releaseDeduplication, deduplicated) end
  for _, job in ipairs(added) do
    if not unplaced[job.id] then doom(job.key) end
  end
  attempt(retain)
  attempt(sweep)
  if settling.metrics then
    -- The jobs have ended, whether they can be counted or not.
    if ended.complete > 0 then pcall(countMetrics, 'completed', ended.complete, settling.metrics) end
    if ended.fail > 0 then pcall(countMetrics, 'failed', ended.fail, settling.metrics) end
  end
  if not refused then run('SET', receipt, cjson.encode(codes), 'PX', int(settling.receiptMs)) end
end
local function tellDrained()
  -- What waits in a paused queue BullMQ 5 does not count.
  local held = settings.paused and not isVersionFive() and paused or wait
  if tellsAll and (lastAct == 'complete' or lastAct == 'fail')
    and run('EXISTS', wait, active, prioritized, held) == 0 then emitTrimming('drained') end
end

settle()
if refused then return refuse(refused) end
if not call.claim then
  tellDrained()
  return {executed, codes, requeued, missing, left or -1}
end
local isDone, claimed = pcall(claimJobs, call.claim)
attempt(sweep)
if not isDone then return refuse(claimed) end
if claimed.status == 'empty' and claimed.ms == 0 then tellDrained() end
return {executed, codes, requeued, missing, claimed.jobs, claimed.status, claimed.ms, claimed.more and 1 or 0,
  settings.read}
