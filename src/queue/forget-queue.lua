-- Removes what is left of a queue, if nothing is in it. KEYS: 1 wait  2 paused  3 active  4 delayed  5 prioritized  6 waiting-children
-- 7 repeat  8 completed  9 failed  10 meta  11... what else BullMQ keeps of it. ARGV: 1 how long jobs are kept, in ms. Answers 2 where
-- nothing is left, 1 where only jobs are in it that ended as long ago, 0 where it stays
local time = redis.call('TIME')
local before = time[1] * 1000 + math.floor(time[2] / 1000) - ARGV[1]
for at = 1, 3 do
  if redis.call('LLEN', KEYS[at]) > 0 then return 0 end
end
for at = 4, 7 do
  if redis.call('ZCARD', KEYS[at]) > 0 then return 0 end
end
-- Somebody has said something of it that is to last.
for _, said in ipairs(redis.call('HMGET', KEYS[10], 'paused', 'concurrency', 'max')) do
  if said then return 0 end
end
for at = 8, 9 do
  local last = redis.call('ZREVRANGE', KEYS[at], 0, 0, 'WITHSCORES')[2]
  if last then return tonumber(last) > before and 0 or 1 end
end
for at = 1, #KEYS do redis.call('DEL', KEYS[at]) end
return 2
