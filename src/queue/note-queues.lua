-- Notes that queues are used now. KEYS: 1 names, by when they were last used. ARGV: 1 how many names there may be ('' = any
-- number, 'known' = only those that are there)  2... names. Answers 0, and notes nothing, where there would be more
local most = tonumber(ARGV[1])
if most and redis.call('ZCARD', KEYS[1]) >= most then
  for at = 2, #ARGV do
    if not redis.call('ZSCORE', KEYS[1], ARGV[at]) then return 0 end
  end
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for at = 2, #ARGV do
  if ARGV[1] == 'known' then redis.call('ZADD', KEYS[1], 'XX', now, ARGV[at]) else redis.call('ZADD', KEYS[1], now, ARGV[at]) end
end
return 1
