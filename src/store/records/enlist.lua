-- Lists a system in use, for those who look for rounds: history and sweeper. By the clock of Redis, because the list is of all
-- servers: one whose clock is wrong would hide systems from the others, or drop theirs.
-- KEYS: 1 systems. ARGV: 1 system (escaped)  2 how long it stays without being listed again, in ms (0 = for ever)
local time = redis.call('TIME')
local now, keptMs = time[1] * 1000 + math.floor(time[2] / 1000), tonumber(ARGV[2])
redis.call('ZADD', KEYS[1], now, ARGV[1])
if keptMs > 0 then redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - keptMs) end
return { now }
