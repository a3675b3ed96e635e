--[[ Part: a call whose answer was lost is sent again with `a.again`, and gets the answer of its first
run instead of a second run. A refusal writes nothing and needs no receipt. ]]
if a.again then
  local before = r('GET', receipt)
  if before then return {calls, cjson.decode(before)} end
end
local function done(answer)
  r('SET', receipt, cjson.encode(answer), 'PX', 300000)
  return {calls, answer}
end
