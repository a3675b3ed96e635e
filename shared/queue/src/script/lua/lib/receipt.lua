--[[ A call whose answer was lost is sent again with `call.again`, and gets the answer of its first run
instead of a second run. A refusal writes nothing and needs no receipt.
Keys  receipt
Cost  1, and 1 when it is asked again ]]
local function readReceipt()
  local before = call.again and run('GET', receipt)
  return before and cjson.decode(before)
end
local function answerOnce(answer)
  if refused then return refuse(refused) end
  run('SET', receipt, cjson.encode(answer), 'PX', 300000)
  return {executed, answer}
end
