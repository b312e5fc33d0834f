-- Notes that a server was heard, and forgets those that were not for long.
-- KEYS: 1 servers (JSON, by when it was last heard). ARGV: 1 the server  2 for how long it is listed, in ms
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
return { now }
