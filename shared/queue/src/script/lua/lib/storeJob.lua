--[[ Stores a job, tells of it, and notes its place, which placeNoted() writes.
job     {id, name, data, opts, timestamp: ms, delay: ms, priority, lifo, deid, parentKey, parent, rjk}, the
        last five where it has them
Keys    the job's hash, those of placeJob, events
Cost    1 (HSET), 2 more for events ]]
-- @include "placeJob"
-- @include "emit"
local function storeJob(job)
  local more = {}
  if job.deid then push(more, 'deid', job.deid) end
  if job.parentKey then push(more, 'parentKey', job.parentKey, 'parent', job.parent) end
  if job.rjk then push(more, 'rjk', job.rjk) end
  run('HSET', prefix .. job.id, 'name', job.name, 'data', job.data, 'opts', job.opts, 'timestamp',
    digits(job.timestamp), 'delay', digits(job.delay), 'priority', digits(job.priority), unpack(more))
  if tellsAll then emit('added', 'jobId', job.id, 'name', job.name) end
  if job.delay > 0 then
    local dueMs = job.timestamp + job.delay
    placeDelayed(job.id, dueMs)
    if tellsAll then emitTrimming('delayed', 'jobId', job.id, 'delay', digits(dueMs)) end
    return
  end
  if job.priority > 0 then placePrioritized(job.id, job.priority) else placeWaiting(job.id, job.lifo) end
  if tellsAll then emitTrimming('waiting', 'jobId', job.id) end
end
