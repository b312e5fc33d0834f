-- What an instance has done for a worker in a minute, in place of what it had told of it before.
-- KEYS: 1 open (zset: "worker minute" -> minute, of minutes that are not put together)  2 the minute (hash: instance -> sum)
--   3 marks (zset: release -> when it was first seen, and "release ms" -> when it began again after another)
-- ARGV: 1 worker  2 minute ms  3 how long after its begin it is closed (ms)  4 instance  5 sum  6 release ('' = none)
--   7 how many open minutes at most  8 how many instances  9 how many marks  10 how long an open minute is kept (s)  11 marks (s)
--   12 '1' if the instance has just begun
-- Returns now, and 1 if it is taken: so that what was put together never changes.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local minute, member = tonumber(ARGV[2]), ARGV[1] .. ' ' .. ARGV[2]
if now >= minute + tonumber(ARGV[3]) or now < minute - 60000 then return { now, 0 } end
if not redis.call('ZSCORE', KEYS[1], member) then
  if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[7]) then return { now, 0 } end
  redis.call('ZADD', KEYS[1], minute, member)
end
local isNew = redis.call('HEXISTS', KEYS[2], ARGV[4]) == 0
if isNew and redis.call('HLEN', KEYS[2]) >= tonumber(ARGV[8]) then return { now, 0 } end
redis.call('HSET', KEYS[2], ARGV[4], ARGV[5])
if isNew then redis.call('EXPIRE', KEYS[2], ARGV[10]) end
if ARGV[6] ~= '' then
  local isKnown = redis.call('ZSCORE', KEYS[3], ARGV[6])
  local last = redis.call('ZREVRANGE', KEYS[3], 0, 0)[1]
  local isAgain = isKnown and ARGV[12] == '1' and string.match(last, '^%S+') ~= ARGV[6]
  if isAgain or not isKnown then
    redis.call('ZADD', KEYS[3], now, isKnown and ARGV[6] .. ' ' .. string.format('%.0f', now) or ARGV[6])
    redis.call('ZREMRANGEBYRANK', KEYS[3], 0, -1 - tonumber(ARGV[9]))
    redis.call('EXPIRE', KEYS[3], ARGV[11])
  end
end
return { now, 1 }
