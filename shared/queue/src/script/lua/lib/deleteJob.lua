--[[ Deletes a job's keys with the next sweep(): its hash and what stands beside it.
Cost  nothing; sweep() is one command for all ]]
local SUFFIXES = {'', ':logs', ':dependencies', ':processed', ':failed', ':unsuccessful'}
local function keysOfJob(key)
  local keys = {}
  for place, suffix in ipairs(SUFFIXES) do keys[place] = key .. suffix end
  return keys
end
local function deleteJob(key)
  local size = #doomed
  for place = 1, 6 do doomed[size + place] = key .. SUFFIXES[place] end
end
