-- Schedules that wanted to be ticked before now - ARGV[2] ms, the longest overdue first. ARGV: 3 how many
local now = nowMs()
local late = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now - ARGV[2], 'WITHSCORES', 'LIMIT', 0, ARGV[3])
return { now, late }
