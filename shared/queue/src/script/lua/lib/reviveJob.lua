--[[ What putting finished jobs back to work takes: they stand in `wait` before they leave the state that they
ended in.
Keys  the job's hash; <parent>:dependencies, :processed, :failed, :unsuccessful
Cost  rejoinParent(): nothing for a job without a parent, else 2 to 4 ]]
-- @include "placeJob"
-- @include "emit"
-- The field that says how it ended.
local RESULT = {failed = 'failedReason', completed = 'returnvalue'}
-- A child that runs again is one that its parent waits for again, whatever became of the parent's keys.
local function rejoinParent(key, parentKey, state)
  pcall(function()
    if not parentKey or run('EXISTS', parentKey) == 0 then return end
    local wasTold
    if state == 'completed' then wasTold = run('HDEL', parentKey .. ':processed', key) == 1
    else
      wasTold = run('ZREM', parentKey .. ':unsuccessful', key) == 1 or run('HDEL', parentKey .. ':failed', key) == 1
    end
    if wasTold then run('SADD', parentKey .. ':dependencies', key) end
  end)
end
