--[[ Stores a job, tells of it, and notes its place, which placeNoted() writes.
job     {id, data, opts, deid, parentKey, parent, rjk}, the last four where it has them
kind    {name, timestamp: ms, delay: ms, priority, lifo}: what many jobs may have in common
Keys    the job's hash, those of placeJob, events
Cost    1 (HSET), 2 more for events ]]
-- @include "placeJob"
-- @include "emit"
-- What not every job has, as arguments of a command: a batch stores many jobs, and makes no table for any.
local function rarerFields(job)
  if not (job.parentKey or job.rjk) then
    if job.deid then return 'deid', job.deid end
    return
  end
  local fields = {}
  if job.deid then push(fields, 'deid', job.deid) end
  if job.parentKey then push(fields, 'parentKey', job.parentKey, 'parent', job.parent) end
  if job.rjk then push(fields, 'rjk', job.rjk) end
  return unpack(fields)
end
local function storeJob(job, kind)
  local id, delay, priority, timestamp = job.id, kind.delay, kind.priority, kind.timestamp
  executed = executed + 1
  redis.call('HSET', prefix .. id, 'name', kind.name, 'data', job.data, 'opts', job.opts, 'timestamp',
    written[timestamp] or digits(timestamp), 'delay', written[delay] or digits(delay), 'priority',
    written[priority] or digits(priority), rarerFields(job))
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
