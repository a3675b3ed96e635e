--[[ Part: puts waiting ids where BullMQ of either major will find them, in bulk.
Pushes are collected and written by flush(): LPUSH and RPUSH work on opposite ends, so their order
among each other does not matter. ]]
local lefts, rights, ranks, dues, dueScores, marked = {}, {}, {}, {}, {}
-- The list that takes waiting jobs. A paused queue keeps the one list it has, since BullMQ 5 renames
-- `paused` over `wait` when it resumes, and a job in the other one would vanish.
local function target()
  if m[1] and (r('EXISTS', paused) == 1
    or r('EXISTS', wait) == 0 and string.find(m[6] or '', '^bullmq:5')) then return paused end
  return wait
end
local function toPrioritized(id, priority) push(ranks, {id, tonumber(priority)}) end
-- A score has 16 digits and perhaps a fraction; whoever turns numbers into text for us may keep fewer.
local function score(x) return string.format('%.17g', x) end
-- 4096 places a millisecond keep jobs that fall due together in order.
local function toDelayed(id, due)
  local low, high = due * 4096, due * 4096 + 4095
  local last = dueScores[due]
  if not last then
    local found = r('ZREVRANGEBYSCORE', delayed, score(high), score(low), 'WITHSCORES', 'LIMIT', 0, 1)
    last = found[2] and tonumber(found[2]) or low - 1
  end
  dueScores[due] = math.min(last + 1, high)
  push(dues, score(dueScores[due]), id)
end
local function flush()
  local list = (#lefts > 0 or #rights > 0) and target()
  if #lefts > 0 then many('LPUSH', list, lefts) end
  if #rights > 0 then many('RPUSH', list, rights) end
  if #ranks > 0 then
    local base, scored = r('INCRBY', pc, #ranks) - #ranks, {}
    for i, x in ipairs(ranks) do push(scored, int(x[2] * 4294967296 + (base + i) % 4294967296), x[1]) end
    many('ZADD', prioritized, scored)
  end
  if #lefts + #rights + #ranks > 0 and not blocked and not marked then
    marked = true
    r('ZADD', marker, 0, '0')
  end
  if #dues > 0 then
    many('ZADD', delayed, dues)
    local first = r('ZRANGE', delayed, 0, 0, 'WITHSCORES')
    r('ZADD', marker, tonumber(first[2]) / 4096, '1')
  end
  lefts, rights, ranks, dues, dueScores = {}, {}, {}, {}, {}
end
