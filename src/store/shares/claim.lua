-- Counts something for a key, once. KEYS: 1 what counts, by when it was last looked at  2 the sum of its weights. ARGV: 1 the
-- thing, which begins with its weight  2 weight  3 limit. Answers 0 where it would be too much
if redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 1 end
if tonumber(redis.call('GET', KEYS[2]) or 0) + ARGV[2] > tonumber(ARGV[3]) then return 0 end
local time = redis.call('TIME')
redis.call('ZADD', KEYS[1], time[1], ARGV[1])
redis.call('INCRBY', KEYS[2], ARGV[2])
return 1
