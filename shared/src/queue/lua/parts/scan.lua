--[[ Part: how a claim that is asked again finds what its earlier run took. ]]
local function mine(token)
  local found, all = {}, r('LRANGE', active, 0, -1)
  for from = 1, #all, 1000 do
    local locks = {}
    for i = from, math.min(from + 999, #all) do push(locks, P .. all[i] .. ':lock') end
    for i, held in ipairs(r('MGET', unpack(locks))) do
      local job = held == token and read(all[from + i - 1])
      if job then table.insert(found, 1, job) end
    end
  end
  return found
end
