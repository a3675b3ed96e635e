--[[ Part: finishes a batch of claimed jobs, each in its own way.
s = {token, jobs: [{id, act, ...}], receiptMs, again: bool}; act is
  complete {value, keep, atm, deid?, last?}       fail {value, stack, keep, atm, attempts, deid?, last?}
  retry {value, stack, atm, delay, priority, lifo?}  release {priority}
keep = {count, age?, limit?} (count -1: all; 0: none; age in seconds)
KEYS from 16: n hashes, n locks, n :dependencies, n :unsuccessful, then `de:` and `dn:` keys.
Answers one code a job: 0, or BullMQ's -1 no job, -2 no lock, -3 not active, -4 and -9 children open
or failed, -6 another's lock. All are checked before the first write; a job with a code is left alone. ]]
local final = a.events == 'all' or a.events == 'final'
local requeued = 0
-- Keys to be deleted, all in one command: locks, deduplication keys, jobs that are not kept.
local trash = {}
local function sweep()
  if #trash > 0 then del(trash) end
  trash = {}
end

-- What a duplicate left behind while its job was active (BullMQ's keepLastIfActive) becomes a job.
local function requeue(deid)
  local key = P .. 'dn:' .. deid
  local x = r('HMGET', key, 'name', 'data', 'opts', 'jid', 'pk', 'pd', 'pdk', 'rjk')
  if not x[3] then return end
  local counter, o = r('INCR', ids), cjson.decode(x[3])
  local id, de = x[4] or int(counter), o.de or {}
  local delay, priority = tonumber(o.delay) or 0, tonumber(o.priority) or 0
  if de.ttl and not de.keepLastIfActive then r('SET', P .. 'de:' .. deid, id, 'PX', int(de.ttl))
  else r('SET', P .. 'de:' .. deid, id) end
  local fields = {'name', x[1], 'data', x[2], 'opts', x[3], 'timestamp', int(now), 'delay', int(delay),
    'priority', int(priority), 'deid', deid}
  if x[5] then push(fields, 'parentKey', x[5], 'parent', x[6]) end
  if x[8] then push(fields, 'rjk', x[8]) end
  r('HSET', P .. id, unpack(fields))
  if a.events == 'all' then event(false, 'added', 'jobId', id, 'name', x[1]) end
  if delay > 0 then
    toDelayed(id, now + delay)
    if a.events == 'all' then event(true, 'delayed', 'jobId', id, 'delay', int(now + delay)) end
  else
    if priority > 0 then toPrioritized(id, priority) else push(o.lifo and rights or lefts, id) end
    if a.events == 'all' then event(true, 'waiting', 'jobId', id) end
  end
  if x[7] then r('SADD', x[7], P .. id) end
  r('DEL', key)
  requeued = requeued + 1
end
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
    evict(target, r('ZREVRANGEBYSCORE', target, int(now - keep.age * 1000), '-inf', 'LIMIT', 0, int(most)))
  end
  if keep.count > 0 then evict(target, r('ZREVRANGE', target, int(keep.count), int(keep.count + 999))) end
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
    local key, code = KEYS[15 + i], 0
    if not whole and r('EXISTS', key) == 0 then code = -1
    elseif children and j.act == 'complete' and r('SCARD', key .. ':dependencies') > 0 then code = -4
    elseif children and j.act == 'complete' and r('ZCARD', key .. ':unsuccessful') > 0 then code = -9
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
    if #good > 0 and #rest > 40 * #good then
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
  if final then r('XTRIM', events, 'MAXLEN', '~', m[5]) end

  if #dedups > 0 then
    local owned, nexts = {}, {}
    for _, j in ipairs(dedups) do
      push(owned, P .. 'de:' .. j.deid)
      push(nexts, P .. 'dn:' .. j.deid)
    end
    for i, owner in ipairs(r('MGET', unpack(owned))) do
      -- A key with a running time to live stays; keepLastIfActive keys have none.
      local j = dedups[i]
      if owner == j.id and (j.last or r('PTTL', owned[i]) <= 0) then push(trash, owned[i]) end
    end
    if r('EXISTS', unpack(nexts)) > 0 then
      sweep()
      for _, j in ipairs(dedups) do requeue(j.deid) end
    end
  end

  local runs, last, front = {}, {}, {}
  for _, i in ipairs(good) do
    local j = s.jobs[i]
    local key = P .. j.id
    if j.act == 'complete' or j.act == 'fail' then
      local target = j.act == 'fail' and failed or completed
      if kin then kin(j, key) end
      if j.keep.count ~= 0 then
        local fields = {'atm', int(j.atm), 'finishedOn', int(now)}
        if j.act == 'fail' then
          push(fields, 'failedReason', j.value, 'stacktrace', j.stack)
          r('HDEL', key, 'defa')
        else
          push(fields, 'returnvalue', j.value)
        end
        r('HSET', key, unpack(fields))
        local same, run = j.act .. j.keep.count .. '/' .. (j.keep.age or '') .. '/' .. (j.keep.limit or ''), nil
        if last[target] and last[target].same == same then run = last[target]
        else
          run = {same = same, keep = j.keep, target = target, scored = {}}
          last[target] = run
          push(runs, run)
        end
        push(run.scored, int(now), j.id)
      else
        if leave then leave(key) end
        discard(j.id)
      end
      if final then
        if j.act == 'complete' then
          event(false, 'completed', 'jobId', j.id, 'returnvalue', j.value, 'prev', 'active')
        else
          event(false, 'failed', 'jobId', j.id, 'failedReason', j.value, 'prev', 'active')
          if j.atm >= j.attempts and a.events == 'all' then
            event(false, 'retries-exhausted', 'jobId', j.id, 'attemptsMade', int(j.atm))
          end
        end
      end
    else
      if j.act == 'retry' then
        local fields = {'failedReason', j.value, 'stacktrace', j.stack, 'atm', int(j.atm)}
        if j.delay > 0 then push(fields, 'delay', int(j.delay)) end
        r('HSET', key, unpack(fields))
      end
      if j.act == 'retry' and j.delay > 0 then
        toDelayed(j.id, now + j.delay)
        if a.events == 'all' then event(true, 'delayed', 'jobId', j.id, 'delay', int(now + j.delay)) end
      else
        if j.act == 'release' and j.priority > 0 then
          r('ZADD', prioritized, int(j.priority * 4294967296), j.id)
        elseif j.priority > 0 then toPrioritized(j.id, j.priority)
        elseif j.act == 'release' then table.insert(front, 1, j.id)
        else push(j.lifo and rights or lefts, j.id) end
        if a.events == 'all' then event(true, 'waiting', 'jobId', j.id, 'prev', 'active') end
      end
    end
  end
  for _, run in ipairs(runs) do retain(run.target, run) end
  sweep()
  -- The last one pushed is the next to run, so the first of the batch goes last.
  for _, id in ipairs(front) do push(rights, id) end
  flush()
  r('SET', receipt, cjson.encode(codes), 'PX', int(s.receiptMs))
  return codes
end
local function drained()
  if a.events == 'all' and r('EXISTS', wait, active, prioritized) == 0 then event(true, 'drained') end
end
