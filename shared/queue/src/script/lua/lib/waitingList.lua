--[[ The list that takes the waiting jobs of the queue at `base`.
Keys  <base>wait, <base>paused
Cost  nothing; 1 to 2 while it is paused
BullMQ 5 keeps what waits in `paused` while a queue is paused, and renames that over `wait` when it resumes;
version 6 keeps it in `wait`, and joins both when it resumes. So a paused queue has one list, and where
there is none yet it is `paused`: that one is resumed without loss by every version. ]]
local function waitingList(base, isPaused)
  if isPaused and (run('EXISTS', base .. 'paused') == 1 or run('EXISTS', base .. 'wait') == 0) then
    return base .. 'paused'
  end
  return base .. 'wait'
end
