--[[ Puts jobs where every peer finds them, in bulk: they are noted one by one, and written together by
placeNoted().
Keys  wait, paused, prioritized, pc, delayed, marker
Cost  placeNoted(): 1 for each end of `wait`, 2 for `prioritized`, 3 for `delayed`, 1 for the marker; one
      more a distinct millisecond of delayed jobs
LPUSH and RPUSH work on opposite ends, so that their order among each other does not matter. ]]
-- @include "numbers"
-- @include "scores"
-- @include "waitingList"
local backs, fronts, ranked, priorities, due, lastScores, marked = {}, {}, {}, {}, {}, {}, false
-- Ids that could not be placed, since a write was refused: they must not leave where they are.
local unplaced = {}
-- Whether none waited before those that were placed, known from what the writes answer: a list that is as
-- long as the push, and a counter that begins, since a claim that finds no prioritized job deletes it.
local foundNone = false
local function placeWaiting(id, atFront)
  local list = atFront and fronts or backs
  list[#list + 1] = id
end
local function placePrioritized(id, priority)
  local last = #ranked + 1
  ranked[last], priorities[last] = id, tonumber(priority)
end
-- The delayed job in whose place the noted one comes: it leaves once that one stands, and counts as gone.
local replaced
-- The first score of what a read with scores answers.
local function scoreBeside(found)
  return tonumber(found and found[found[1] == replaced and 4 or 2] or nil)
end
local function placeDelayed(id, dueMs)
  local low, high = scoreDue(dueMs), scoreEndOf(dueMs)
  local last = lastScores[dueMs] or scoreBeside(try('ZREVRANGEBYSCORE', delayed, digits(high), digits(low),
    'WITHSCORES', 'LIMIT', 0, replaced and 2 or 1)) or low - 1
  lastScores[dueMs] = math.min(last + 1, high)
  push(due, {id = id, score = digits(lastScores[dueMs])})
end
-- Once a call: nobody can take the marker in between.
local function wake()
  if marked then return end
  marked = true
  try('ZADD', marker, 0, '0')
end
local function wakeWhenDue(set, at)
  local first = scoreBeside(try('ZRANGE', set, 0, replaced and 1 or 0, 'WITHSCORES'))
  if first then try('ZADD', at, dueOfScore(first), '1') end
end
local function place(ids, write)
  if attempt(write) then return end
  for _, id in ipairs(ids) do unplaced[id] = true end
end
local function placeInList(command, list, noted)
  if #noted == 0 then return end
  place(noted, function() foundNone = many(command, list, noted) == #noted or foundNone end)
end
local function placeRanked()
  local scored = {}
  place(ranked, function()
    local last = run('INCRBY', pc, #ranked)
    foundNone = foundNone or last == #ranked
    for place, id in ipairs(ranked) do
      scored[2 * place - 1], scored[2 * place] = scoreRanked(priorities[place], last - #ranked + place), id
    end
    many('ZADD', prioritized, scored)
  end)
end
local function placeDue()
  local scored, noted = {}, {}
  for _, job in ipairs(due) do
    push(scored, job.score, job.id)
    push(noted, job.id)
  end
  place(noted, function() many('ZADD', delayed, scored) end)
  wakeWhenDue(delayed, marker)
end
local function placeNoted()
  local waiting = #backs + #fronts + #ranked
  if #backs + #fronts > 0 then
    local list = waitingList(prefix, settings.paused)
    placeInList('LPUSH', list, backs)
    placeInList('RPUSH', list, fronts)
  end
  if #ranked > 0 then placeRanked() end
  if waiting > 0 and not blocked then wake() end
  if #due > 0 then placeDue() end
  backs, fronts, ranked, priorities, due, lastScores = {}, {}, {}, {}, {}, {}
end
