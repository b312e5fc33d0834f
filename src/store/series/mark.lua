-- Somebody says something of this moment. KEYS: 1 what was said (zset: "number JSON" -> when)
-- ARGV: 1 JSON  2 how long it is kept (ms)  3 how many are kept. Returns now.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
-- The same may be said again, in the same moment too.
local last = redis.call('ZREVRANGE', KEYS[1], 0, 0)[1]
local number = 1 + (last and tonumber(string.match(last, '^%d+')) or 0)
redis.call('ZADD', KEYS[1], now, string.format('%012.0f', number) .. ' ' .. ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[2]))
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -1 - tonumber(ARGV[3]))
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return { now }
