-- Do others take the jobs of an instance? ARGV: 1 its id  2 how many of each worker there must be  3 its facts ('' = it is only asked)
--   4 what the facts of those have in them who take jobs of its region ('' = it takes none of its region alone)  then its workers. Returns 1 if so; then it is listed as these facts say.
local now, least, left, missing, seen = nowMs(), tonumber(ARGV[2]), {}, 0, {}
touch(now)
local region = ARGV[4]
-- Servers take the silent for lost, and there may be none. After an outage everybody is silent.
local isGrace = now < tonumber(redis.call('ZSCORE', LEASES, '~grace') or 0)
local function lives(id)
  return isGrace or tonumber(redis.call('ZSCORE', LEASES, id) or 0) >= now
end
for index = 5, #ARGV do
  if least > 0 then left[ARGV[index]], missing = least, missing + 1 end
end
-- Page by page: mostly the first has enough.
local cursor = '0'
repeat
  local page = missing > 0 and redis.call('HSCAN', INSTANCES, cursor, 'COUNT', 100) or { '0', {} }
  cursor = page[1]
  for index = 1, #page[2], 2 do
    local id = page[2][index]
    local facts = string.match(page[2][index + 1], '^%d+ %d+ %- %d+ 0 (.*)$')
    -- A scan may tell one row twice.
    local isOther = id ~= ARGV[1] and not seen[id]
    seen[id] = true
    local takes = isOther and facts and string.find(facts, '"mode":"registered"', 1, true)
      and (region == '' or string.find(facts, '"regional":true', 1, true) and string.find(facts, region, 1, true))
    if takes and lives(id) then
      for worker, count in pairs(left) do
        if string.find(facts, '{"name":"' .. worker .. '",', 1, true) then
          left[worker] = count > 1 and count - 1 or nil
          if count == 1 then missing = missing - 1 end
        end
      end
    end
  end
until cursor == '0' or missing == 0
if missing > 0 then return { 0 } end
local row = ARGV[3] ~= '' and rowOf(ARGV[1])
if row and row.ending == '-' then
  row.facts = ARGV[3]
  change(ARGV[1], row)
end
return { 1 }
