-- The newest entries of histories.
-- KEYS: the histories, of one Cluster slot. ARGV: 1 how many of each  2 since when (ms); then of each history where to begin.
local found = {}
for index, key in ipairs(KEYS) do
  found[index] = redis.call('XREVRANGE', key, ARGV[index + 2], ARGV[2], 'COUNT', ARGV[1])
end
return found
