--[[ Part: puts finished jobs back to work. ]]
local WHY = {failed = 'failedReason', completed = 'returnvalue'}
local five = string.find(m[6] or '', '^bullmq:5')
-- A child that runs again is one that its parent waits for again.
local function rejoined(key, parent, state)
  if not parent or r('EXISTS', parent) == 0 then return end
  local found
  if state == 'completed' then found = r('HDEL', parent .. ':processed', key) == 1
  else found = r('ZREM', parent .. ':unsuccessful', key) == 1 or r('HDEL', parent .. ':failed', key) == 1 end
  if found then r('SADD', parent .. ':dependencies', key) end
end
-- It runs again whatever became of its parent's keys.
local function rejoin(key, parent, state) pcall(rejoined, key, parent, state) end
