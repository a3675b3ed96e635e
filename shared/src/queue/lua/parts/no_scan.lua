-- Part: in the place of scan.lua and due.lua, for claims that look at what waits and at nothing else.
local mine, promote
local missing = {}
