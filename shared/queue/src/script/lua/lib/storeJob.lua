--[[ Stores a job, tells of it, and notes its place, which placeNoted() writes.
job     {id, data, opts, deid, parentKey, parent, rjk}, the last four where it has them
kind    {name, timestamp: ms, delay: ms, priority, lifo}: what many jobs may have in common
Keys    the job's hash, those of placeJob, events
Cost    1 (HSET), 2 more for events ]]
-- @include "placeJob"
-- @include "emit"
-- A field that not every job has, before others: a batch stores many jobs, and makes no table for any.
local function field(name, value, ...)
  if value then return name, value, ... end
  return ...
end
local function storeJob(job, kind)
  local id, delay, priority, timestamp = job.id, kind.delay, kind.priority, kind.timestamp
  run('HSET', prefix .. id, 'name', kind.name, 'data', job.data, 'opts', job.opts, 'timestamp', digits(timestamp),
    'delay', digits(delay), 'priority', digits(priority), field('deid', job.deid,
    field('parentKey', job.parentKey, field('parent', job.parent, field('rjk', job.rjk)))))
  if tellsAll then emit('added', 'jobId', id, 'name', kind.name) end
  if delay > 0 then
    local dueMs = timestamp + delay
    placeDelayed(id, dueMs)
    if tellsAll then emitTrimming('delayed', 'jobId', id, 'delay', digits(dueMs)) end
    return
  end
  if priority > 0 then placePrioritized(id, priority) else placeWaiting(id, kind.lifo) end
  if tellsAll then emitTrimming('waiting', 'jobId', id) end
end
