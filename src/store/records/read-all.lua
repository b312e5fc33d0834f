-- Records as they are now, with the clock that their times are of.
-- KEYS: the records, of one Cluster slot. Returns now, and the fields of each.
local time = redis.call('TIME')
local found = { time[1] * 1000 + math.floor(time[2] / 1000) }
for index, key in ipairs(KEYS) do found[index + 1] = redis.call('HGETALL', key) end
return found
