--[[ Part: finishes a batch of claimed jobs, each in its own way.
s = {token, jobs: [{id, act, ...}], receiptMs, again: bool, more: a claim follows,
metrics?: see parts/metrics.lua}; act is
  complete {value, keep, atm, deid?, last?}       fail {value, stack, keep, atm, attempts, deid?, last?}
  retry {value, stack, atm, delay, lifo?}  release {}
keep = {count, age?, limit?} (count -1: all; 0: none; age in seconds)
KEYS from 16: n hashes, n locks, n :dependencies, n :unsuccessful, then `de:` and `dn:` keys.
Answers one code a job: 0, or BullMQ's -1 no job, -2 no lock, -3 not active, -4 and -9 children open
or failed, -6 another's lock. All are checked before the first write; a job with a code is left alone. ]]
-- How the last one ended: BullMQ looks whether the queue is drained only when a job finishes.
local lastAct
local function conclude(j, key)
  if j.act ~= 'complete' then return other(j, key) end
  finish(j, key, completed, {'returnvalue', j.value})
  if final then event(false, 'completed', 'jobId', j.id, 'returnvalue', j.value, 'prev', 'active') end
end
local function settle(s)
  local n, codes, good = #s.jobs, {}, {}
  if s.again then
    local before = r('GET', receipt)
    if before then return cjson.decode(before) end
  end
  local held = r('MGET', unpack(KEYS, 16 + n, 15 + 2 * n))
  local whole = r('EXISTS', unpack(KEYS, 16, 15 + n)) == n
  local children = r('EXISTS', unpack(KEYS, 16 + 2 * n, 15 + 4 * n)) > 0
  for i, j in ipairs(s.jobs) do
    local key, parent, code = KEYS[15 + i], children and j.act == 'complete', 0
    if not whole and r('EXISTS', key) == 0 then code = -1
    elseif parent and (try('SCARD', key .. ':dependencies') or 0) > 0 then code = -4
    elseif parent and (try('ZCARD', key .. ':unsuccessful') or 0) > 0 then code = -9
    elseif held[i] ~= s.token then code = held[i] and -6 or -2 end
    codes[i] = code
    if code == 0 then push(good, i) end
  end
  -- LREM is its own check for one job; for more, one read and one rewrite beat an LREM each.
  if #good == 1 then
    if r('LREM', active, -1, s.jobs[good[1]].id) == 0 then codes[good[1]], good = -3, {} end
  elseif #good > 1 then
    local leaving, rest, seen = {}, {}, {}
    for _, i in ipairs(good) do leaving[s.jobs[i].id] = true end
    local all = r('LRANGE', active, 0, -1)
    for _, id in ipairs(all) do
      if leaving[id] and not seen[id] then seen[id] = true else push(rest, id) end
    end
    local present = {}
    for _, i in ipairs(good) do
      if seen[s.jobs[i].id] then push(present, i) else codes[i] = -3 end
    end
    good = present
    if #rest > 40 * #good then
      for _, i in ipairs(good) do r('LREM', active, -1, s.jobs[i].id) end
    elseif #good > 0 then
      r('DEL', active)
      many('RPUSH', active, rest)
    end
  end
  if #good == 0 then return codes end
  room = room + #good
  blocked = m[1] and true or room <= 0

  local members, dedups = {}, {}
  for _, i in ipairs(good) do
    local j = s.jobs[i]
    push(trash, KEYS[15 + n + i])
    push(members, j.id)
    if j.deid and (j.act == 'complete' or j.act == 'fail') then push(dedups, j) end
  end
  many('SREM', stalled, members)
  if final then try('XTRIM', events, 'MAXLEN', '~', m[5]) end

  if #dedups > 0 and letGo then letGo(dedups) end

  for _, i in ipairs(good) do
    local j = s.jobs[i]
    lastAct = j.act
    -- Nothing that was written is undone: what is no hash any more must not keep its mates from ending.
    if not pcall(conclude, j, KEYS[15 + i]) then codes[i] = -1 end
  end
  for _, run in ipairs(runs) do retain(run.target, run) end
  sweep()
  if restore and restore() then lastAct = nil end
  if flush then flush() end
  r('SET', receipt, cjson.encode(codes), 'PX', int(s.receiptMs))
  return codes
end
local function drained(late)
  if every and (lastAct == 'complete' or lastAct == 'fail')
    and r('EXISTS', wait, active, prioritized, late or wait) == 0 then event(true, 'drained') end
end
