-- Changes pools and places. ARGV: 1 the revision that they were read under  2 how many pools follow, then of each its name and JSON ('' = it is no
--   more), then of each place its name and JSON ('' likewise). Returns 1, or 0 where anything has changed since.
touch(nowMs())
if tonumber(redis.call('HGET', COUNTS, 'rev') or 0) ~= tonumber(ARGV[1]) then return { 0 } end
local function put(key, name, text)
  if text == '' then redis.call('HDEL', key, name) else redis.call('HSET', key, name, text) end
end
local places = 3 + 2 * tonumber(ARGV[2])
for index = 3, #ARGV, 2 do
  put(index < places and POOLS or PLACES, ARGV[index], ARGV[index + 1])
end
revise()
return { 1 }
