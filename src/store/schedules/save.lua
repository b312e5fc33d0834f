-- Stores the schedule if nobody has since it was read. ARGV: 2 member  3 revision as read (0: none)  4 what it is asked to
-- do  5 how far it has come  6 when to be ticked ('' = not by itself)
local key = PREFIX .. ARGV[2]
local revision = revisionOf(key)
if revision ~= ARGV[3] then return false end
-- A schedule that is removed and made again has a higher revision than it ever had: one change takes more than a ms.
local higher = math.max(tonumber(revision) + 1, revision == '0' and nowMs() or 0)
higher = string.format('%.0f', higher)
redis.call('SET', key, higher .. '\n' .. ARGV[4] .. '\n' .. ARGV[5])
redis.call('ZADD', KEYS[1], 0, ARGV[2])
if ARGV[6] == '' then
  redis.call('ZREM', KEYS[2], ARGV[2])
else
  redis.call('ZADD', KEYS[2], ARGV[6], ARGV[2])
end
return higher
