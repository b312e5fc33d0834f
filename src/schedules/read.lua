-- The schedule as it is now, on the clock that its times are of. ARGV: 2 member
return { nowMs(), redis.call('HMGET', PREFIX .. ARGV[2], 'r', 's', 't') }
