--[[ Tells an event. No job is lost over one.
Keys  events, of this queue or of the one at `base`
Cost  1 ]]
local function emit(...) try('XADD', events, '*', 'event', ...) end
-- The same, and makes room for it.
local function emitTrimming(...) try('XADD', events, 'MAXLEN', '~', settings.maxEvents, '*', 'event', ...) end
local function emitAt(base, ...) try('XADD', base .. 'events', '*', 'event', ...) end
