-- Watches a schedule. One that is watched is looked at at once, as it is now: a look that is under way comes to nothing.
-- ARGV: 2 watch  3 since when (ms)  4 at most how long ago (ms)
local progress = redis.call('HGET', KEYS[4], ARGV[2])
if progress then
  redis.call('HSET', KEYS[4], ARGV[2], whole(redis.call('INCR', KEYS[11])) .. string.match(progress, '^%d+(.*)$'))
  redis.call('ZADD', KEYS[3], nowMs(), ARGV[2])
else
  begin(ARGV[2], math.max(tonumber(ARGV[3]), nowMs() - tonumber(ARGV[4])))
end
return {}
