--[[ Adds jobs in order, with the result that adding them one by one has in BullMQ.
KEYS    1-15 the queue's (15: this call's receipt), then the `de:` keys, each where a job names it first, then the
        hashes of custom ids, then the receipt of the call in front; not the holders' hashes and the `dn:` keys,
        which few calls touch
ARGV    1 JSON {prefix, now, events: bool, again: bool, once: bool, after: bool, receiptMs, trustMs, version, kinds:
        [{jobs: how many in a row are of it, named: bool, name, timestamp, delay, priority, lifo, promote, de?:
        {ttl?, extend, replace, last, reschedule?}}]}; then of each job data, opts, its custom id where its kind is
        `named`, and its deduplication id where that has `de`. What differs from job to job is not in the JSON: to
        read it there took a third of the call's time.
Answer  {commands, {id, outcome, id, outcome, ...}, first, unfound}; outcome: added, duplicate, deduplicated,
        after-active; first 1: none waited before in a queue that runs; unfound: holders of deduplication ids
        that the first 10,000 waiting jobs do not show, and which count all the same
Cost    about 6, and a job 1 (HSET), plus 2 with events, plus 1 to 3 for a deduplicated add; 1 where it is `after`
        another. A call of duplicates only, without events, is answered after 1 for all and 1 a holder.
Runs again with the same receipt key: answers what the first run answered, and adds nothing; is refused where the first
run comes after the second.
Sent `after` another call, before that one's answer: unless that has left a receipt, answers {commands, 'behind'} and
adds nothing, so that nothing is added behind what was not. (One that wrote nothing leaves none.)
A job is stored, placed, and then named by its deduplication key. When a write is refused, what was stored
without a place is deleted, what nobody would find again is taken back, and the call fails. ]]
-- @include "commands"
-- @include "queue"
-- @include "settings"
-- @include "storeJob"
-- @include "holders"
-- @include "deleteJob"
if call.again then
  local before = run('GET', receipt)
  if before then return {executed, unpack(cjson.decode(before))} end
end
-- A call that hung on the way and comes after its own replay has been answered already. Where keys are asked for, its
-- receipt is among them; else it is met where this one's own would be written. So it costs no command.
local LATE = 'ERR it was sent again, and answered, before it came'
if call.after and run('EXISTS', KEYS[#KEYS]) == 0 then return {executed, 'behind'} end
-- The jobs, {kind, data, opts, id?, deid?, isNextInTurn}, their deduplication ids, each once, and the key of each.
local jobs, dedups, dedupKeys, at = {}, {}, {}, 2
for _, kind in ipairs(call.kinds) do
  kind.isNextInTurn = kind.priority == 0 and kind.delay == 0
  for _ = 1, kind.jobs do
    local data, opts, id, deid = ARGV[at], ARGV[at + 1], nil, nil
    at = at + 2
    if kind.named then id, at = ARGV[at], at + 1 end
    if kind.de then
      deid, at = ARGV[at], at + 1
      if not dedupKeys[deid] then
        local last = #dedups + 1
        dedups[last], dedupKeys[deid] = deid, KEYS[15 + last]
      end
    end
    jobs[#jobs + 1] = {kind = kind, data = data, opts = opts, id = id, deid = deid, isNextInTurn = kind.isNextInTurn}
  end
end

-- ---- what stands already -----------------------------------------------------------------------------------
local exists, custom = {}, {}
for _, job in ipairs(jobs) do
  if job.id then push(custom, prefix .. job.id) end
end
if #custom > 0 then
  local left = run('EXISTS', receipt, unpack(custom))
  for _, key in ipairs(left > 0 and custom or {}) do
    exists[key] = exists[key] or run('EXISTS', key) == 1
    if exists[key] then left = left - 1 end
  end
  if left > 0 then return refuse(LATE) end
end
if readHolders(dedups) then return refuse(LATE) end

-- The id and outcome of the job that stands for this one, as it is: nothing has to be written, nor told.
local function stands(job)
  if call.events or call.once then return end
  if job.id and exists[prefix .. job.id] then return job.id, 'duplicate' end
  local dedup = job.kind.de
  local holder = dedup and held[job.deid]
  if not holder or dedup.replace or dedup.reschedule or (dedup.extend and dedup.ttl) then return end
  if (dedup.last and isHeldActive(holder)) or (job.kind.promote and not holder.isNextInTurn) then return end
  return holder.id, 'deduplicated'
end
local function standing()
  local out = {}
  for _, job in ipairs(jobs) do
    local id, outcome = stands(job)
    if not id then return end
    push(out, id, outcome)
  end
  return out
end
local out = standing()
if out then return {executed, out, 0, unfound} end

-- ---- what is added -----------------------------------------------------------------------------------------
readSettings()
-- Who made the queue, until a Node process says what it is.
if not settings.version then try('HSETNX', meta, 'version', call.version) end
out = {}
-- A duplicate for which nothing is written takes no number; in BullMQ every add takes one.
local number = run('INCRBY', ids, #jobs) - #jobs
local last = number + #jobs
-- Of the jobs that were stored since the last write(): themselves, to be deleted if they find no place; keys that
-- name them; and what leaves once they stand.
local stored, named, timed, leaving = {}, {}, {}, {}
-- Placed jobs that nobody would find again, since neither an id of their own nor a deduplication id names them.
local unfindable = {}

-- Places what was noted, then names it, then lets go what it replaces.
local function write()
  placeNoted()
  local placed = stored
  stored = {}
  for _, job in ipairs(placed) do
    if unplaced[job.id] then doom(prefix .. job.id)
    elseif not job.kind.named then unfindable[#unfindable + 1] = job end
  end
  if refused then
    pcall(sweep)
    error(refused, 0)
  end
  if #named > 0 then run('MSET', unpack(named)) end
  for _, command in ipairs(timed) do run(unpack(command)) end
  local all = unfindable
  unfindable = {}
  for _, job in ipairs(all) do
    if not job.deid then push(unfindable, job) end
  end
  for _, job in ipairs(leaving) do
    run('ZREM', job.set, job.id)
    if job.isReplaced then
      deleteJob(prefix .. job.id)
      doom(prefix .. 'dn:' .. job.dedup)
      sweep()
    end
  end
  named, timed, leaving, replaced = {}, {}, {}, nil
end

-- Lets a job hold a deduplication id as soon as it stands; `keepsTtl`: for as long as the one before it.
local function hold(job, id, keepsTtl)
  local dedup, key = job.kind.de, dedupKeys[job.deid]
  local ttl = not dedup.last and dedup.ttl
  -- Written in the order of these calls, where an earlier one of a key has a time: MSET goes before all of those.
  if not ttl and #timed == 0 then push(named, key, id)
  elseif not ttl then push(timed, {'SET', key, id})
  elseif keepsTtl then push(timed, {'SET', key, id, 'KEEPTTL'})
  else push(timed, {'SET', key, id, 'PX', int(math.min(ttl, 9e15))}) end
end
local function tellDeduplicated(winner, deid, id)
  if not tellsAll then return end
  if isVersionFive() then emitTrimming('debounced', 'jobId', winner, 'debounceId', deid) end
  emitTrimming('deduplicated', 'jobId', winner, 'deduplicationId', deid, 'deduplicatedJobId', id)
end
local function tellWaiting(id, from)
  if tellsAll then emitTrimming('waiting', 'jobId', id, 'prev', from) end
end
-- The id and outcome of the job that stands for this one; or nil when it is to be stored, and its outcome.
local function deduplicate(job, id)
  local kind, deid = job.kind, job.deid
  local dedup, holder = kind.de, held[deid]
  if not holder then
    hold(job, id)
    return nil, 'added'
  end
  local winner = holder.id
  -- What is asked while its job is active is a job of its own, which every version runs; what waits behind an
  -- active one (`dn:`) only some would start.
  if dedup.last and isHeldActive(holder) then
    hold(job, id)
    return nil, 'after-active'
  end
  if dedup.replace then
    write()
    if not run('ZSCORE', delayed, winner) then return winner, 'deduplicated' end
    exists[prefix .. winner] = nil
    forgetHeld(winner, deid)
    push(leaving, {set = delayed, id = winner, isReplaced = true, dedup = deid})
    replaced = winner
    if tellsAll then emit('removed', 'jobId', winner, 'prev', 'delayed') end
    tellDeduplicated(id, deid, winner)
    hold(job, id, not dedup.extend)
    return nil, 'added'
  end
  if dedup.extend and dedup.ttl then
    write()
    hold(job, winner)
  end
  tellDeduplicated(winner, deid, id)
  if dedup.reschedule then
    write()
    if run('ZSCORE', delayed, winner) then
      try('HSET', prefix .. winner, 'delay', int(kind.delay))
      placeDelayed(winner, kind.timestamp + kind.delay)
      if tellsAll then emitTrimming('delayed', 'jobId', winner, 'delay', int(kind.timestamp + kind.delay)) end
      write()
    end
  end
  if kind.promote and not holder.isNextInTurn then
    write()
    local set = readAny('ZSCORE', prioritized, winner) and prioritized or run('ZSCORE', delayed, winner) and delayed
    if set then
      holder.isNextInTurn = true
      try('HSET', prefix .. winner, 'priority', 0, 'delay', 0)
      placeWaiting(winner)
      push(leaving, {set = set, id = winner})
      tellWaiting(winner, set == delayed and 'delayed' or 'prioritized')
    end
  end
  return winner, 'deduplicated'
end

local function add(job)
  local id, deid = job.id, job.deid
  if id or deid and held[deid] then
    local stood, how = stands(job)
    if stood then return push(out, stood, how) end
    -- An id is free again once the job that was replaced is deleted, and not before.
    for _, left in ipairs(leaving) do
      if left.isReplaced and left.id == id then
        write()
        break
      end
    end
  end
  number = number + 1
  local standing, outcome = nil, 'added'
  if id and exists[prefix .. id] then
    standing, outcome = id, 'duplicate'
    if tellsAll then emitTrimming('duplicated', 'jobId', id) end
  else
    id = id or int(number)
    if deid then standing, outcome = deduplicate(job, id) end
  end
  if not standing then
    if job.id then
      exists[prefix .. id] = true
      rereadHeld(id)
    end
    job.id = id
    stored[#stored + 1] = job
    storeJob(job, job.kind)
    if deid then held[deid] = job end
    -- What is added next finds the replaced job gone.
    if replaced then write() end
  end
  push(out, standing or id, outcome)
end
-- Takes those back that are placed: whoever hears of the failure asks once more, and they would be there twice.
-- One whose place is refused to be left stays.
local function takeBack()
  for _, job in ipairs(unfindable) do
    local kind = job.kind
    local set = kind.delay > 0 and delayed or kind.priority > 0 and prioritized
    local left = set and try('ZREM', set, job.id)
      or not set and try('LREM', waitingList(prefix, settings.paused), kind.lifo and -1 or 1, job.id)
    if left and left > 0 then
      doom(prefix .. job.id)
      if job.deid and try('GET', dedupKeys[job.deid]) == job.id then doom(dedupKeys[job.deid]) end
      if tellsAll then emit('removed', 'jobId', job.id, 'prev', 'waiting') end
    end
  end
end
local answer
local isDone, refusal = pcall(function()
  for _, job in ipairs(jobs) do add(job) end
  write()
  if number < last then run('DECRBY', ids, int(last - number)) end
  answer = {out, foundNone and not blocked and 1 or 0, unfound}
  if not run('SET', receipt, cjson.encode(answer), 'NX', 'PX', int(call.receiptMs)) then error(LATE, 0) end
end)
if not isDone then
  -- What was stored without a place would count as a job.
  for _, job in ipairs(stored) do doom(prefix .. job.id) end
  attempt(takeBack)
  attempt(sweep)
  return refuse(refusal)
end
return {executed, unpack(answer)}
