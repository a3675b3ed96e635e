--[[ Runs commands and counts them: each is billed, so every script answers `executed` first. ]]
local executed = 0
-- Runs one command. When it is refused, the script ends there, and nothing that it wrote is undone: a
-- script uses this for reads, for its first write, and where the caller catches the refusal.
local function run(...)
  executed = executed + 1
  return redis.call(...)
end
-- A refusal that was caught is a table or a text, by the server's version, and may begin with its place.
local function textOf(refusal)
  local text = type(refusal) == 'table' and refusal.err or tostring(refusal)
  text = string.gsub(string.gsub(text, '^=%[C%]:%s*%-?%d+:%s*', ''), '^@?user_script:%s*%d+:%s*', '')
  return (string.gsub(text, '^-', ''))
end
local function isWrongType(refusal) return string.find(textOf(refusal), 'WRONGTYPE', 1, true) ~= nil end
-- The script's answer when a refusal that was caught ends it: as the server told it.
local function refuse(refusal) return redis.error_reply(textOf(refusal)) end
-- Runs a command whose refusal must not keep anything else from happening, as an event's: its answer, or
-- nil and the refusal.
local function try(...)
  executed = executed + 1
  local done, answer = pcall(redis.call, ...)
  if done then return answer end
  return nil, answer
end
-- Reads what may be of any type: nil when it is of another, while every other refusal ends the script.
local function readAny(...)
  executed = executed + 1
  local done, answer = pcall(redis.call, ...)
  if done then return answer end
  if not isWrongType(answer) then error(answer, 0) end
end
-- Runs one variadic command for many items, below Lua's limit of arguments; the last answer.
local function many(command, key, items)
  local answer
  for first = 1, #items, 5000 do
    answer = run(command, key, unpack(items, first, math.min(first + 4999, #items)))
  end
  return answer
end
-- Of many items two at a time: a batch calls this for each of its jobs.
local function push(list, first, second, ...)
  local size = #list
  list[size + 1] = first
  if second == nil then return end
  list[size + 2] = second
  if select('#', ...) > 0 then return push(list, ...) end
end
-- The first refusal of a command that could be passed over; a script that met one says so at its end.
local refused
local function attempt(action, ...)
  local done, refusal = pcall(action, ...)
  refused = refused or not done and refusal or nil
  return done
end
-- Keys that are deleted together by sweep(): one command for a whole batch.
local doomed = {}
local function doom(...) push(doomed, ...) end
local function sweep()
  local keys = doomed
  doomed = {}
  for first = 1, #keys, 5000 do run('DEL', unpack(keys, first, math.min(first + 4999, #keys))) end
end
