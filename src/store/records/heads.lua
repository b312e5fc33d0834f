-- When the newest entry of each history came, behind where to begin.
-- KEYS: the histories, of one Cluster slot. ARGV: of each where to begin. Returns the ids of the entries; '' where there is none.
local found = {}
for index, key in ipairs(KEYS) do
  local entries = redis.call('XREVRANGE', key, ARGV[index], '-', 'COUNT', 1)
  found[index] = entries[1] and entries[1][1] or ''
end
return found
