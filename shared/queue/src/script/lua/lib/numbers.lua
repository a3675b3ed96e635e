--[[ Writes numbers. Lua's own `..` keeps 14 digits of a number, a time in milliseconds has 13, and a score
of `delayed` 16 and perhaps a fraction. ]]
local function int(number) return string.format('%.0f', number) end
-- A batch writes the same few numbers for each of its jobs.
local written = {}
local function digits(number)
  local text = written[number]
  if text then return text end
  local isWhole = number % 1 == 0 and number < 1e21 and number > -1e21
  text = isWhole and int(number) or string.format('%.17g', number)
  written[number] = text
  return text
end
