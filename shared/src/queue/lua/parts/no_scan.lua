-- Part: in the place of scan.lua, for claims that look at what waits and at nothing else.
local mine, promote
