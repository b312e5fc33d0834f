-- Gives a member of an index its next score, or none, unless somebody has given it another meanwhile.
-- KEYS: 1 index. ARGV: 1 member  2 the score that was seen  3 the next one ('' = none)
local score = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not score or tonumber(score) ~= tonumber(ARGV[2]) then return { 0 } end
if ARGV[3] == '' then redis.call('ZREM', KEYS[1], ARGV[1]) else redis.call('ZADD', KEYS[1], ARGV[3], ARGV[1]) end
return { 1 }
