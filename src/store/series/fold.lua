-- Puts a minute in the place of what instances have told of it, once, and adds it to its hour.
-- KEYS: 1 open  2 the minute, as told  3 minutes of its hour (hash: minute -> sum)  4 hours (hash: hour -> sum)  5 marks
-- ARGV: 1 worker  2 minute ms  3 what the minute is now ('' = nothing)  4 what it is to be  5 hour ms  6 what the hour is now
--   7 what it is to be  8 how long minutes are kept (s)  9 hours and marks (s)  10 hours before this one are forgotten (ms)
-- Returns 1 if it was done: not where another has done it, or has added to its hour meanwhile.
local member = ARGV[1] .. ' ' .. ARGV[2]
if not redis.call('ZSCORE', KEYS[1], member) then return { 0 } end
if (redis.call('HGET', KEYS[3], ARGV[2]) or '') ~= ARGV[3] then return { 0 } end
if (redis.call('HGET', KEYS[4], ARGV[5]) or '') ~= ARGV[6] then return { 0 } end
redis.call('ZREM', KEYS[1], member)
redis.call('DEL', KEYS[2])
redis.call('EXPIRE', KEYS[5], ARGV[9])
if ARGV[4] == '' then return { 1 } end
redis.call('HSET', KEYS[3], ARGV[2], ARGV[4])
redis.call('EXPIRE', KEYS[3], ARGV[8])
redis.call('HSET', KEYS[4], ARGV[5], ARGV[7])
redis.call('EXPIRE', KEYS[4], ARGV[9])
for _, hour in ipairs(redis.call('HKEYS', KEYS[4])) do
  if tonumber(hour) < tonumber(ARGV[10]) then redis.call('HDEL', KEYS[4], hour) end
end
return { 1 }
