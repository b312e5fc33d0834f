-- Gives an order. ARGV: 1 order  2 its record (JSON)  3 task (JSON)  4 how long it may be obeyed (ms)  5 how long it is kept (ms)
--   6 how many are kept  then the instances. Returns now.
local now, until_ = nowMs(), 0
until_ = now + tonumber(ARGV[4])
touch(now)
-- The same order again, because its answer was lost, is not a second one.
if redis.call('HEXISTS', ORDERS, ARGV[1]) == 1 then return { now } end
redis.call('HSET', ORDERS, ARGV[1], whole(now) .. ' ' .. whole(until_) .. ' ' .. ARGV[2])
redis.call('ZADD', GIVEN, now, ARGV[1])
for index = 7, #ARGV do
  local id = ARGV[index]
  local row = rowOf(id)
  if row and row.ending == '-' then
    local _, tasks = tasksOf(id)
    tasks[#tasks + 1] = cjson.decode(ARGV[3])
    want(id, tasks)
    note(ARGV[1], id, 'waiting', now, '')
    redis.call('ZADD', DUE, until_, ARGV[1] .. ' ' .. id)
  else
    note(ARGV[1], id, 'failed', now, 'the instance has ended')
  end
end
local old = redis.call('ZRANGEBYSCORE', GIVEN, '-inf', now - tonumber(ARGV[5]), 'LIMIT', 0, 10)
if #old == 0 and redis.call('ZCARD', GIVEN) > tonumber(ARGV[6]) then old = redis.call('ZRANGE', GIVEN, 0, 9) end
for _, order in ipairs(old) do
  local record = redis.call('HGET', ORDERS, order)
  for _, id in ipairs(cjson.decode(string.match(record, '^%d+ %d+ (.*)$')).instances) do
    redis.call('HDEL', OUTCOMES, order .. ' ' .. id)
  end
  redis.call('HDEL', ORDERS, order)
  redis.call('ZREM', GIVEN, order)
end
return { now }
