-- An instance ends and says so. ARGV: 1 id
local now, row = nowMs(), rowOf(ARGV[1])
touch(now)
redis.call('HDEL', WANTED, ARGV[1])
if row and row.ending ~= 'ended' then finish(ARGV[1], row, 'ended', now) end
return { now }
