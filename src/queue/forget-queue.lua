-- Forgets a queue that was not used for ARGV[2] ms, if nothing is in it. KEYS: 1 names, by when they were last used  2 wait
-- 3 paused  4 active  5 delayed  6 prioritized  7 waiting-children  8 repeat  9 completed  10 failed  11 meta  12... what else BullMQ
-- keeps of it. ARGV: 1 name. Answers 2 where it is forgotten, 1 where only jobs are in it that ended as long ago, 0 where it stays
local time = redis.call('TIME')
local before = time[1] * 1000 + math.floor(time[2] / 1000) - ARGV[2]
local used = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not used or tonumber(used) > before then return 0 end
for at = 2, 4 do
  if redis.call('LLEN', KEYS[at]) > 0 then return 0 end
end
for at = 5, 8 do
  if redis.call('ZCARD', KEYS[at]) > 0 then return 0 end
end
-- Somebody has said something of it that is to last.
for _, said in ipairs(redis.call('HMGET', KEYS[11], 'paused', 'concurrency', 'max')) do
  if said then return 0 end
end
for at = 9, 10 do
  local last = redis.call('ZREVRANGE', KEYS[at], 0, 0, 'WITHSCORES')[2]
  if last then return tonumber(last) > before and 0 or 1 end
end
redis.call('ZREM', KEYS[1], ARGV[1])
for at = 2, #KEYS do redis.call('DEL', KEYS[at]) end
return 2
