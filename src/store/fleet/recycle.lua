-- A supervisor is about to end an instance that does not work. ARGV: 1 how long after the one before (ms)  2 window (ms)
--   3 how many within it  then the workers that it serves. Returns 1 if it may: for none of them was it done too often.
local now, apart, window, most = nowMs(), tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
touch(now)
local lines = {}
for index = 4, #ARGV do
  local times = {}
  for time in string.gmatch(redis.call('HGET', RECYCLES, ARGV[index]) or '', '%d+') do
    if now - tonumber(time) < window then times[#times + 1] = time end
  end
  if #times >= most or #times > 0 and now - tonumber(times[#times]) < apart then return { 0 } end
  times[#times + 1] = whole(now)
  lines[ARGV[index]] = table.concat(times, ' ')
end
-- Of more workers than anybody has, the oldest are nobody's.
if redis.call('HLEN', RECYCLES) > MOST_COUNTS then redis.call('DEL', RECYCLES) end
for worker, line in pairs(lines) do redis.call('HSET', RECYCLES, worker, line) end
return { 1 }
