--[[ Finished jobs let their deduplication keys go, and what a duplicate left behind meanwhile (`dn:`, which
Node producers write) becomes a job.
Keys    de:<id>, dn:<id>
Cost    releaseDeduplication(): 1 a job whose key may have a time to live; addNext(): about 8 ]]
-- @include "storeJob"
local requeued = 0
-- Deduplication ids that another job holds since their holders were read.
local isPassedOn = {}
-- `holder` of a job: who held its deduplication id before anything was written.
local function releaseDeduplication(jobs)
  for _, job in ipairs(jobs) do
    local key = prefix .. 'de:' .. job.deid
    -- A key with a running time to live stays; keepLastIfActive keys have none.
    if job.holder == job.id and not isPassedOn[job.deid] and (job.last or run('PTTL', key) <= 0) then doom(key) end
  end
end
-- Options that cannot be read count as not given, as they do for whoever claims the job.
local function decodeObject(json)
  local isRead, value = pcall(cjson.decode, json)
  return isRead and type(value) == 'table' and value or {}
end
local function addNext(deid)
  local key, holder = prefix .. 'dn:' .. deid, prefix .. 'de:' .. deid
  local next = run('HMGET', key, 'name', 'data', 'opts', 'jid', 'pk', 'pd', 'pdk', 'rjk')
  local name, data, json, customId, parentKey, parent, dependencies, scheduler = unpack(next, 1, 8)
  if not (name and data and json) then return end
  local options = decodeObject(json)
  local dedup = type(options.de) == 'table' and options.de or {}
  local counter, ttl = run('INCR', ids), tonumber(dedup.ttl) or 0
  local id = customId or int(counter)
  local hasParent = parentKey and parent
  storeJob({id = id, data = data, opts = json, deid = deid, parentKey = hasParent and parentKey,
    parent = hasParent and parent, rjk = scheduler}, {name = name, timestamp = now,
    delay = tonumber(options.delay) or 0, priority = tonumber(options.priority) or 0, lifo = options.lifo == true})
  run('SET', holder, id)
  isPassedOn[deid] = true
  if ttl > 0 and not dedup.keepLastIfActive then try('PEXPIRE', holder, int(ttl)) end
  if dependencies then try('SADD', dependencies, prefix .. id) end
  requeued = requeued + 1
  return id
end
