--[[ Part of every script: names for the queue's keys, the decoded argument, and a counter of the
commands that run in here, which every script answers first, because each of them is billed. ]]
local wait, paused, active, prioritized, pc, delayed, meta, marker, events, ids, limiter, stalled,
  completed, failed, receipt = unpack(KEYS, 1, 15)
local a = cjson.decode(ARGV[1])
local P, now, every = a.prefix, a.now, a.events == 'all'
local calls = 0
local function r(...)
  calls = calls + 1
  return redis.call(...)
end
-- A command that may meet what nobody expects there, as a list where a job should be: false if so. A
-- script that fails undoes nothing of what it wrote, so that one bad job would take its batch with it.
local function try(...)
  local done, answer = pcall(r, ...)
  return done and answer
end
-- One variadic command for many items, below Lua's limit of arguments.
local function many(command, key, items)
  for i = 1, #items, 5000 do r(command, key, unpack(items, i, math.min(i + 4999, #items))) end
end
local function del(keys)
  for i = 1, #keys, 5000 do r('DEL', unpack(keys, i, math.min(i + 4999, #keys))) end
end
local function push(list, ...)
  for i = 1, select('#', ...) do list[#list + 1] = (select(i, ...)) end
end
local function int(x) return string.format('%.0f', x) end
-- Formatted once: a batch writes it for every job.
local ts = int(now)
local m = r('HMGET', meta, 'paused', 'concurrency', 'max', 'duration', 'opts.maxLenEvents', 'version')
local blocked = m[1] and true or false
local room = math.huge
if not blocked and m[2] then
  room = tonumber(m[2]) - r('LLEN', active)
  blocked = room <= 0
end
-- An operator's call (`touch` false) makes no queue that was not there.
if not m[5] then
  m[5] = 10000
  if a.touch ~= false then r('HSET', meta, 'opts.maxLenEvents', m[5]) end
end
-- No job is lost over an event.
local function event(trim, ...)
  if trim then try('XADD', events, 'MAXLEN', '~', m[5], '*', 'event', ...)
  else try('XADD', events, '*', 'event', ...) end
end
-- Keys to be deleted, all in one command: locks, deduplication keys, jobs that are not kept.
local trash = {}
local function sweep()
  del(trash)
  trash = {}
end
