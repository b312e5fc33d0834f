-- An instance has died, as its supervisor has seen. ARGV: 1 id  2 facts, where it has never been listed
local now, row = nowMs(), rowOf(ARGV[1])
touch(now)
redis.call('HDEL', WANTED, ARGV[1])
if not row then row = { started = whole(now), stuck = '0', facts = ARGV[2] } end
if row.ending ~= 'died' then finish(ARGV[1], row, 'died', now) end
return { now }
