-- Removes the name of a queue that was not used for ARGV[2] ms, unless jobs of it are where older builds put them. KEYS: 1 names, by
-- when they were last used  2... what has jobs there. ARGV: 1 name. Answers 2 where it is removed, 0 where it stays
local time = redis.call('TIME')
local used = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not used or tonumber(used) > time[1] * 1000 + math.floor(time[2] / 1000) - ARGV[2] then return 0 end
if redis.call('EXISTS', unpack(KEYS, 2)) > 0 then return 0 end
redis.call('ZREM', KEYS[1], ARGV[1])
return 2
