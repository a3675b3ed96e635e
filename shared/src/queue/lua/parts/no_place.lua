-- Part: in the place of place.lua, for calls that put nothing into the queue.
local flush
