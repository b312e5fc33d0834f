-- Somebody wants to see logs. ARGV: 1 for how long (ms)  2 an epoch for a count that is new  3 how many logs are watched at most
--   then the instances. Returns now, and those that nobody wanted to see before.
local now, untilMs = nowMs(), 0
untilMs = now + tonumber(ARGV[1])
redis.call('HSETNX', COUNT, 'epoch', ARGV[2])
redis.call('ZREMRANGEBYSCORE', WATCHED, '-inf', now)
local reply = { now }
for index = 4, #ARGV do
  local known = redis.call('ZSCORE', WATCHED, ARGV[index])
  if not known then reply[#reply + 1] = ARGV[index] end
  if known or redis.call('ZCARD', WATCHED) < tonumber(ARGV[3]) then
    if not known or tonumber(known) < untilMs then redis.call('ZADD', WATCHED, whole(untilMs), ARGV[index]) end
  end
end
redis.call('PEXPIRE', WATCHED, ARGV[1])
return reply
