-- Adds lines to a log. ARGV: 1 instance  2 number of the first line  3 how many  4 the lines (JSON)  5 how many bytes that counts for
--   6 '1' if lines before them were sent  7 how many lines are kept  8 how many bytes  9 how long (s)  10 how many logs there are at most
-- Returns the number of the line that the log goes on with, and the logs that are one too many: whoever asks removes them.
local first, count = tonumber(ARGV[2]), tonumber(ARGV[3])
local last = redis.call('XREVRANGE', LOG, '+', '-', 'COUNT', 1)[1]
local expected, before, bytes = first, 0, 0
if last then
  local of = {}
  for index = 1, #last[2], 2 do of[last[2][index]] = last[2][index + 1] end
  expected = tonumber(of.n) + tonumber(of.c)
  before = tonumber(string.match(last[1], '^%d+'))
  bytes = tonumber(of.b) + tonumber(of.s)
  -- The answer to it was lost.
  if first < expected then return { expected } end
elseif ARGV[6] == '1' then
  return { 0 }
end
local number = redis.call('HINCRBY', COUNT, 'seq', 1)
redis.call('XADD', LOG, whole(number) .. '-0', 'n', ARGV[2], 'c', ARGV[3], 'd', whole(first - expected), 'p', whole(before),
  'b', whole(bytes), 's', ARGV[5], 't', whole(nowMs()), 'l', ARGV[4])
while true do
  local oldest = redis.call('XRANGE', LOG, '-', '+', 'COUNT', 1)[1]
  local tooMany = first + count - tonumber(oldest[2][2]) > tonumber(ARGV[7])
  local tooMuch = bytes + tonumber(ARGV[5]) - tonumber(oldest[2][10]) > tonumber(ARGV[8])
  if oldest[1] == whole(number) .. '-0' or not (tooMany or tooMuch) then break end
  redis.call('XDEL', LOG, oldest[1])
end
redis.call('EXPIRE', LOG, ARGV[9])
redis.call('ZADD', GROWN, number, ARGV[1])
redis.call('EXPIRE', GROWN, ARGV[9])
local reply = { first + count }
local over = redis.call('ZCARD', GROWN) - tonumber(ARGV[10])
if over > 0 then
  for _, id in ipairs(redis.call('ZRANGE', GROWN, 0, over - 1)) do
    redis.call('ZREM', GROWN, id)
    reply[#reply + 1] = id
  end
end
return reply
