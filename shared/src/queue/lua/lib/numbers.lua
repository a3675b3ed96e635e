--[[ Writes numbers. Lua's own `..` keeps 14 digits of a number, a time in milliseconds has 13, and a score
of `delayed` 16 and perhaps a fraction. ]]
local function int(number) return string.format('%.0f', number) end
local function digits(number)
  if number % 1 == 0 and number < 1e21 and number > -1e21 then return int(number) end
  return string.format('%.17g', number)
end
