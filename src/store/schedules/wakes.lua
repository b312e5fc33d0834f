-- Schedules that want to be ticked, by when. ARGV: 2 offset  3 how many
return { nowMs(), redis.call('ZRANGE', KEYS[2], ARGV[2], ARGV[2] + ARGV[3] - 1, 'WITHSCORES') }
