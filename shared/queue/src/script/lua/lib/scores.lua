--[[ The scores of BullMQ's sorted sets.
`delayed`: 4096 places a millisecond, which keep jobs that fall due together in order.
`prioritized`: 2^32 places a priority, which the counter `pc` deals out. ]]
local PLACES_PER_MS, PLACES_PER_PRIORITY = 4096, 4294967296
local function scoreDue(ms) return ms * PLACES_PER_MS end
local function dueOfScore(score) return tonumber(score) / PLACES_PER_MS end
-- The last place of a millisecond.
local function scoreEndOf(ms) return (ms + 1) * PLACES_PER_MS - 1 end
local function scoreRanked(priority, place)
  return int(priority * PLACES_PER_PRIORITY + place % PLACES_PER_PRIORITY)
end
