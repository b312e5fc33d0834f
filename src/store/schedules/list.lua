-- A page of schedules, by system and name. ARGV: 2 from, 3 to (as ZRANGEBYLEX takes them)  4 how many
local found = {}
for _, member in ipairs(redis.call('ZRANGEBYLEX', KEYS[1], ARGV[2], ARGV[3], 'LIMIT', 0, ARGV[4])) do
  found[#found + 1] = { member, redis.call('GET', PREFIX .. member) }
end
return { nowMs(), found }
