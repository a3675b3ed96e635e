--[[ Finds the job schedulers whose next job is gone, so that nobody will ever make another one: it has no
hash, or it has ended without a next one. Reads only.
KEYS    1 repeat, 2 delayed, 3 prioritized, 4 active, 5 wait, 6 paused, 7 waiting-children
ARGV    JSON {prefix, now, most}: looks at the `most` schedulers whose time is first
Answer  {commands, {{scheduler, time, state, name, data, opts, record}, ...}}; state is `lost` where the time
        is still to come and the job has no hash, else `past`; name, data and opts are the job's, if it
        has a hash; the record is a list of fields and values
Cost    3 where every next job is delayed; of others 1 each if it is alive, 2 if its schedule has ended, and
        up to 9 if it is dead ]]
-- @include "commands"
-- @include "numbers"
local schedulers, delayed, prioritized, active, wait, paused, waitingChildren = unpack(KEYS, 1, 7)
local call = cjson.decode(ARGV[1])
local function number(text) return tonumber(text or nil) end
local due = run('ZRANGE', schedulers, 0, call.most - 1, 'WITHSCORES')
local ids, hashes = {}, {}
for place = 2, #due, 2 do
  local id = 'repeat:' .. due[place - 1] .. ':' .. int(tonumber(due[place]))
  push(ids, id)
  push(hashes, call.prefix .. id)
end
if #ids == 0 then return {executed, {}} end
local delayedScores = run('ZMSCORE', delayed, unpack(ids))
local delayedHashes = {}
for place, hash in ipairs(hashes) do
  if delayedScores[place] then push(delayedHashes, hash) end
end
local areAllThere = #delayedHashes == 0 or run('EXISTS', unpack(delayedHashes)) == #delayedHashes
local function isListed(id)
  return run('ZSCORE', prioritized, id) or run('LPOS', active, id) or run('LPOS', wait, id)
    or run('LPOS', paused, id) or run('ZSCORE', waitingChildren, id)
end
-- Whether a scheduler has made its last job.
local function hasEnded(record, isAhead)
  local own = run('HMGET', record, 'name', 'ic', 'limit', 'endDate')
  local made, limit, last = number(own[2]), number(own[3]), number(own[4])
  -- Without a record it is a repeatable job of before BullMQ 5, whose ids cannot be told.
  return not own[1] or last and call.now > last or not isAhead and made and limit and made >= limit
end
local dead = {}
for place, id in ipairs(ids) do
  if not (delayedScores[place] and areAllThere) then
    local job = run('HMGET', hashes[place], 'finishedOn', 'name', 'data', 'opts')
    local isKnown = job[1] or job[2] or job[4]
    local isAhead = not isKnown and tonumber(due[2 * place]) > call.now
    local record = schedulers .. ':' .. due[2 * place - 1]
    -- Whoever claims an id without a hash drops it, once its time has come.
    local isAlive = delayedScores[place] and not isAhead or isKnown and not job[1]
    if not isAlive and not hasEnded(record, isAhead) and not (not delayedScores[place] and isListed(id)) then
      push(dead, {due[2 * place - 1], due[2 * place], isAhead and 'lost' or 'past', job[2], job[3], job[4],
        run('HGETALL', record)})
      if #dead == 50 then break end
    end
  end
end
return {executed, dead}
