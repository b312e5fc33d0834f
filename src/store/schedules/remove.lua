-- Forgets the schedule. ARGV: 2 member
redis.call('ZREM', KEYS[1], ARGV[2])
redis.call('ZREM', KEYS[2], ARGV[2])
return redis.call('DEL', PREFIX .. ARGV[2])
