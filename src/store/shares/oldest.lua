-- What counts for a key and was not looked at for ARGV[1] s, the longest ago first. KEYS as of claim. ARGV: 2 how many
local time = redis.call('TIME')
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', time[1] - ARGV[1], 'LIMIT', 0, ARGV[2])
