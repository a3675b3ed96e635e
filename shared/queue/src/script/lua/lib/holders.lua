--[[ Who holds the deduplication ids of a call.
Keys    the receipt, de:<id> from KEYS[16] on, the holders' hashes, prioritized, active; of old holders wait, paused, delayed,
        waiting-children
Cost    1 for all; 1 more where several are held; 1 a holder that is not prioritized; 1 where one may be active;
        up to 9 for a holder that is old, or whose job is gone or has ended
A holder counts only while its job is in some state: without a time to live its key would block the id for ever.
One that is young is trusted; an old one is looked for, the first 10,000 places of a list at most, and one that
may stand behind those counts, and is told as `unfound`. ]]
local LOOKED_AT = 10000
-- `held`: the holder of each deduplication id, as examine() tells it; or the job that is added and takes it.
local held, unfound, activeIds = {}, {}, nil
local function isActive(id)
  if not activeIds then
    activeIds = {}
    for _, other in ipairs(run('LRANGE', active, 0, -1)) do activeIds[other] = true end
  end
  return activeIds[id] == true
end
-- Whether the job is in some state; nil where that cannot be told.
local function isInSomeState(id)
  for _, set in ipairs({prioritized, delayed, prefix .. 'waiting-children'}) do
    if readAny('ZSCORE', set, id) then return true end
  end
  local isWhole = true
  for _, list in ipairs({wait, paused}) do
    -- The right end has waited longest.
    if readAny('LPOS', list, id, 'RANK', -1, 'MAXLEN', LOOKED_AT) then return true end
    isWhole = isWhole and (readAny('LLEN', list) or 0) <= LOOKED_AT
  end
  if isActive(id) then return true end
  if isWhole then return false end
end
-- What is known of a holder: {id, mayBeActive, isNextInTurn: it waits, and nothing but its turn is missing}; nil
-- when it does not count.
local function examine(dedup, id, key)
  local job = readAny('HMGET', prefix .. id, 'timestamp', 'processedOn', 'finishedOn', 'priority', 'delay') or {}
  local added, processed, delay = tonumber(job[1] or nil), job[2], tonumber(job[5] or nil) or 0
  if not job[3] and (added or run('EXISTS', prefix .. id) == 1) then
    local holder = {id = id, mayBeActive = processed or not added,
      isNextInTurn = added and not processed and delay == 0 and tonumber(job[4] or nil) == 0}
    local since = added and math.max(added + delay, tonumber(processed or nil) or 0)
    if since and now - since <= call.trustMs then return holder end
    local isThere = isInSomeState(id)
    if isThere == nil then push(unfound, id) end
    if isThere ~= false then return holder end
  end
  -- Gone, ended or nowhere: only a time to live lets it hold on.
  if run('PTTL', key) ~= -1 then return {id = id, isNextInTurn = true} end
  run('DEL', key, prefix .. 'dn:' .. dedup)
end
local function isHeldActive(holder) return holder.mayBeActive and isActive(holder.id) end
-- Answers whether the call has left a receipt, where it asks.
local function readHolders(dedups)
  if #dedups == 0 then return end
  local names, order = run('MGET', unpack(KEYS, 15, 15 + #dedups)), {}
  if names[1] then return true end
  for place, dedup in ipairs(dedups) do
    local id = names[place + 1]
    if id then push(order, {dedup = dedup, id = id, key = KEYS[15 + place]}) end
  end
  local scores = {}
  if #order > 1 then
    local named = {}
    for _, holder in ipairs(order) do push(named, holder.id) end
    scores = readAny('ZMSCORE', prioritized, unpack(named)) or {}
  end
  for place, holder in ipairs(order) do
    held[holder.dedup] = scores[place] and {id = holder.id} or examine(holder.dedup, holder.id, holder.key)
  end
end
-- A job that goes holds no other id either, but for the time of that id's key: a custom id may stand in the keys
-- of several.
local function forgetHeld(id, dedup)
  for other, holder in pairs(held) do
    if other ~= dedup and holder.id == id and run('PTTL', prefix .. 'de:' .. other) == -1 then held[other] = nil end
  end
end
-- A job that takes a custom id is another one than a holder of that id was read as.
local function rereadHeld(id)
  for _, holder in pairs(held) do
    if holder.id == id then holder.isNextInTurn = nil end
  end
end
