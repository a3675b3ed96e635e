--[[ Finds what a claim took whose answer was lost.
Keys    active, locks, hashes
Answer  the jobs whose lock is `token`, in the order in which they waited
Cost    1, one more for every 1,000 active jobs, and 1 a job found ]]
-- @include "readJob"
local function findClaimed(token)
  local found, all = {}, run('LRANGE', active, 0, -1)
  for first = 1, #all, 1000 do
    local locks = {}
    for place = first, math.min(first + 999, #all) do push(locks, prefix .. all[place] .. ':lock') end
    for place, held in ipairs(run('MGET', unpack(locks))) do
      local job = held == token and readJob(all[first + place - 1])
      if job then table.insert(found, 1, job) end
    end
  end
  return found
end
