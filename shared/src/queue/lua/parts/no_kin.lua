-- Part: in the place of kin.lua, for batches in which no job can have a parent.
local kin, leave
