--[[ Adds jobs in order, with the result that adding them one by one has in BullMQ.
KEYS  1-15 the queue's (15: this call's receipt), then the `de:` keys in the order of `a.dedups`, then the
      hashes of custom ids
ARGV  JSON {prefix, now, events: bool, again: bool, receiptMs, version, dedups: [id], jobs: [{id?, name, data,
      opts, timestamp, delay, priority, lifo?, promote?, de?: {id, ttl?, extend?, replace?, last?,
      reschedule?}}]}
Answer {commands, {id, outcome, id, outcome, ...}, first}; outcome: added, duplicate, deduplicated,
      after-active; first 1: none waited before in a queue that runs
Cost  per call about 6; per job 1 (HSET), plus 2 with events, plus 1 to 6 for a deduplicated add
Runs again with the same receipt key: answers what the first run answered, and adds nothing. ]]
if a.again then
  local before = r('GET', receipt)
  if before then return {calls, unpack(cjson.decode(before))} end
end
-- Whether none waited is in what the writes answer: a list that is as long as the push, and a counter
-- that begins, since a claim that finds no prioritized job deletes it.
local call, first = r, false
r = function(command, key, ...)
  local answer = call(command, key, ...)
  if command == 'LPUSH' or command == 'RPUSH' then first = first or answer == select('#', ...)
  elseif key == pc then first = first or answer == tonumber((...)) end
  return answer
end
-- Who made the queue, until a Node process says what it is.
if not m[6] then r('HSETNX', meta, 'version', a.version) end
local out, created, owner, sets = {}, {}, {}, {}
local base = r('INCRBY', ids, #a.jobs) - #a.jobs

if #a.dedups > 0 then
  local holders = r('MGET', unpack(KEYS, 16, 15 + #a.dedups))
  local held = {}
  for i, id in ipairs(a.dedups) do
    if holders[i] then
      owner[id] = holders[i]
      push(held, P .. holders[i])
    end
  end
  -- A key without a time to live whose job is gone (an outage, a removal by hand) holds nothing.
  if #held > 0 and r('EXISTS', unpack(held)) < #held then
    for i, id in ipairs(a.dedups) do
      if owner[id] and r('EXISTS', P .. owner[id]) == 0 and r('PTTL', KEYS[15 + i]) == -1 then
        r('DEL', KEYS[15 + i], P .. 'dn:' .. id)
        owner[id] = nil
      end
    end
  end
end
local custom = {}
for _, j in ipairs(a.jobs) do if j.id then push(custom, P .. j.id) end end
if #custom > 0 and r('EXISTS', unpack(custom)) > 0 then
  for _, key in ipairs(custom) do created[key] = created[key] or r('EXISTS', key) == 1 end
end

local running
local function isActive(id)
  if not running then
    running = {}
    for _, x in ipairs(r('LRANGE', active, 0, -1)) do running[x] = true end
  end
  return running[id]
end
local function save()
  flush()
  if #sets > 0 then r('MSET', unpack(sets)) end
  sets = {}
end
-- BullMQ before 5.72 would never start what waits behind an active job.
local major, minor = string.match(m[6] or '', '^bullmq:(%d+)%.(%d+)')
local knowsNext = not major or tonumber(major) > 5 or (tonumber(major) == 5 and tonumber(minor) >= 72)

local function own(d, id, keepTtl)
  local ttl = not d.last and d.ttl
  owner[d.id] = id
  if keepTtl and ttl then r('SET', P .. 'de:' .. d.id, id, 'KEEPTTL')
  elseif ttl then r('SET', P .. 'de:' .. d.id, id, 'PX', int(math.min(ttl, 9e15)))
  else push(sets, P .. 'de:' .. d.id, id) end
end
local function lost(winner, d, id)
  if a.events then
    if string.find(m[6] or '', '^bullmq:5') then
      event(true, 'debounced', 'jobId', winner, 'debounceId', d.id)
    end
    event(true, 'deduplicated', 'jobId', winner, 'deduplicationId', d.id, 'deduplicatedJobId', id)
  end
end
-- The id and outcome of the job that stands for this one, or nothing when this one is to be stored.
local function deduplicate(j, id)
  local d, winner = j.de, owner[j.de.id]
  if not winner then return own(d, id) end
  if d.last and isActive(winner) then
    if not knowsNext then return own(d, id) end
    save()
    local key = P .. 'dn:' .. d.id
    r('DEL', key)
    r('HSET', key, 'name', j.name, 'data', j.data, 'opts', j.opts, 'jid', id)
    r('PERSIST', P .. 'de:' .. d.id)
    lost(winner, d, id)
    return winner, 'after-active'
  end
  if d.replace then
    save()
    if r('ZREM', delayed, winner) == 0 then return winner, 'deduplicated' end
    local key = P .. winner
    r('DEL', key, key .. ':logs', key .. ':dependencies', key .. ':processed', key .. ':failed',
      key .. ':unsuccessful', P .. 'dn:' .. d.id)
    created[key] = nil
    if a.events then event(false, 'removed', 'jobId', winner, 'prev', 'delayed') end
    lost(id, d, winner)
    return own(d, id, not d.extend)
  end
  if d.extend and d.ttl then
    save()
    own(d, winner)
  end
  lost(winner, d, id)
  if d.reschedule then
    save()
    if r('ZSCORE', delayed, winner) then
      try('HSET', P .. winner, 'delay', int(j.delay))
      toDelayed(winner, j.timestamp + j.delay)
      if a.events then event(true, 'delayed', 'jobId', winner, 'delay', int(j.timestamp + j.delay)) end
      flush()
    end
  end
  if j.promote then
    if created[P .. winner] then save() end
    local from = r('ZREM', prioritized, winner) == 1 and 'prioritized'
      or r('ZREM', delayed, winner) == 1 and 'delayed'
    if from then
      try('HSET', P .. winner, 'priority', 0, 'delay', 0)
      push(lefts, winner)
      if a.events then event(true, 'waiting', 'jobId', winner, 'prev', from) end
    end
  end
  return winner, 'deduplicated'
end

for i, j in ipairs(a.jobs) do
  local id = j.id or int(base + i)
  local key, stands, outcome = P .. id, nil, nil
  if j.id and created[key] then
    stands, outcome = id, 'duplicate'
    if a.events then event(true, 'duplicated', 'jobId', id) end
  elseif j.de then
    stands, outcome = deduplicate(j, id)
  end
  if not stands then
    created[key] = true
    local fields = {'name', j.name, 'data', j.data, 'opts', j.opts, 'timestamp', int(j.timestamp),
      'delay', int(j.delay), 'priority', int(j.priority)}
    if j.de then push(fields, 'deid', j.de.id) end
    r('HSET', key, unpack(fields))
    if a.events then event(false, 'added', 'jobId', id, 'name', j.name) end
    if j.delay > 0 then
      toDelayed(id, j.timestamp + j.delay)
      if a.events then event(true, 'delayed', 'jobId', id, 'delay', int(j.timestamp + j.delay)) end
    else
      if j.priority > 0 then toPrioritized(id, j.priority)
      else push(j.lifo and rights or lefts, id) end
      if a.events then event(true, 'waiting', 'jobId', id) end
    end
  end
  push(out, stands or id, outcome or 'added')
end
save()
local answer = {out, first and not blocked and 1 or 0}
r('SET', receipt, cjson.encode(answer), 'PX', int(a.receiptMs))
return {calls, unpack(answer)}
