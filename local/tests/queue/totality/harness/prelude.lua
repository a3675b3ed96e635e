--[[ Goes in front of a script, and stands between it and Redis: counts its commands over all the scripts of
a call, and refuses some, as Redis refuses what a user may not do. The script's last argument says which:
`trace 0` refuses none and notes each; `once N` refuses the N-th; `name N` from the N-th on whatever has its
name; `key N` from the N-th on whatever has its name and its key, in all later scripts, too. ]]
local redis = (function(real)
  local mode, nth = string.match(ARGV[#ARGV], '^(%a+) (%d+)$')
  ARGV[#ARGV] = nil
  nth = tonumber(nth)
  local met = real.call('GET', 'totality:met')
  local function refuses(...)
    local name, key = string.upper((...)), tostring((select(2, ...)))
    if mode == 'trace' then
      real.call('RPUSH', 'totality:trace', cjson.encode({...}))
      return false
    end
    local what = mode == 'name' and name or name .. ' ' .. key
    local n = real.call('INCR', 'totality:calls')
    if not met and n == nth then
      met = what
      real.call('SET', 'totality:met', what)
      return true
    end
    return met == what and mode ~= 'once'
  end
  local function through(how)
    return function(...)
      -- What no server knows is refused as the server refuses, inside `pcall` and outside.
      if refuses(...) then return real[how]('TOTALITY.REFUSED') end
      return real[how](...)
    end
  end
  return setmetatable({call = through('call'), pcall = through('pcall')}, {__index = real})
end)(redis)
