-- The schedule as it is now, on the clock that its times are of. ARGV: 2 member
return { nowMs(), redis.call('GET', PREFIX .. ARGV[2]) }
