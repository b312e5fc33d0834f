-- Gives an order. ARGV: 1 order  2 its record (JSON)  3 task (JSON)  4 how long it may be obeyed (ms)  5 how long it is kept (ms)
--   6 how many are kept  7 the workers (JSON) of which it may take away no more than half  then the instances. Returns now; and where
--   it would take away more, and so is not given: the worker, how many of it would be left, and of how many.
local now, until_ = nowMs(), 0
until_ = now + tonumber(ARGV[4])
touch(now)
-- The same order again, because its answer was lost, is not a second one.
if redis.call('HEXISTS', ORDERS, ARGV[1]) == 1 then return { now } end

-- As takesAway in order.ts.
local function takesAway(task, facts)
  local verb = task.verb
  return verb == 'unregister' or verb == 'stop'
    or verb == 'restart' and not string.find(facts, '"place":"', 1, true)
end

-- Who is told to go is as good as gone, though it may not have heard of it.
local function isGoing(id, facts)
  local _, tasks = tasksOf(id)
  for _, task in ipairs(tasks) do
    if takesAway(task, facts) then return true end
  end
  return false
end

local function tooFew(task, workers, told)
  local serving, left, seen, cursor = {}, {}, {}, '0'
  repeat
    local page = redis.call('HSCAN', INSTANCES, cursor, 'COUNT', 100)
    cursor = page[1]
    for index = 1, #page[2], 2 do
      local id = page[2][index]
      local facts = not seen[id] and string.match(page[2][index + 1], '^%d+ %d+ %- %d+ 0 (.*)$')
      seen[id] = true
      if facts and string.find(facts, '"mode":"registered"', 1, true) and not isGoing(id, facts) then
        local stays = (told[id] and takesAway(task, facts)) and 0 or 1
        for _, worker in ipairs(workers) do
          if string.find(facts, '{"name":"' .. worker .. '",', 1, true) then
            serving[worker] = (serving[worker] or 0) + 1
            left[worker] = (left[worker] or 0) + stays
          end
        end
      end
    end
  until cursor == '0'
  for _, worker in ipairs(workers) do
    if (left[worker] or 0) * 2 < (serving[worker] or 0) then return { now, worker, left[worker], serving[worker] } end
  end
  return nil
end

local workers, told = cjson.decode(ARGV[7]), {}
for index = 8, #ARGV do told[ARGV[index]] = true end
local refusal = #workers > 0 and tooFew(cjson.decode(ARGV[3]), workers, told)
if refusal then return refusal end

redis.call('HSET', ORDERS, ARGV[1], whole(now) .. ' ' .. whole(until_) .. ' ' .. ARGV[2])
redis.call('ZADD', GIVEN, now, ARGV[1])
for index = 8, #ARGV do
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
