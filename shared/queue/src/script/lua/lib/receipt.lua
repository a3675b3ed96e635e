--[[ A call whose answer was lost is sent again, and gets the answer of its first run instead of a second run; so does
the first one, if it hung on the way and comes last. A refusal writes nothing and needs no receipt.
Keys  receipt
Cost  2 ]]
local function readReceipt()
  local before = run('GET', receipt)
  return before and cjson.decode(before)
end
local function answerOnce(answer)
  if refused then return refuse(refused) end
  run('SET', receipt, cjson.encode(answer), 'PX', 300000)
  return {executed, answer}
end
