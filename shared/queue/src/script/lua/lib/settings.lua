--[[ Reads the queue's settings, once a call.
Keys    meta; active where a concurrency is set
Answer  settings = {paused, concurrency, max, duration, maxEvents, version, read: as HMGET answers};
        `room`: how many jobs more may be active; `blocked`: whether none may be claimed
Cost    1, one more where a concurrency is set, and once in a queue's life ]]
local settings, room, blocked = {}, math.huge, false
local function readSettings()
  local found = run('HMGET', meta, 'paused', 'concurrency', 'max', 'duration', 'opts.maxLenEvents', 'version')
  settings = {paused = found[1] and true or false, concurrency = found[2], max = tonumber(found[3]),
    duration = tonumber(found[4]), maxEvents = found[5] or 10000, version = found[6], read = found}
  blocked = settings.paused
  if not blocked and settings.concurrency then
    room = tonumber(settings.concurrency) - run('LLEN', active)
    blocked = room <= 0
  end
  -- An operator's call (`touch` false) makes no queue that was not there.
  if not found[5] and call.touch ~= false then try('HSET', meta, 'opts.maxLenEvents', settings.maxEvents) end
end
-- What only BullMQ 5 does, all of it without weight: a version is whatever the last process wrote that
-- opened the queue, so that nothing may be lost over it.
local function isVersionFive() return string.find(settings.version or '', '^bullmq:5') ~= nil end
