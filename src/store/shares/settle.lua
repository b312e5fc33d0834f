-- Notes what a look has found. KEYS as of claim. ARGV: 1 'gone' or 'kept'  2... things
local time = redis.call('TIME')
for at = 2, #ARGV do
  if ARGV[1] == 'kept' then
    redis.call('ZADD', KEYS[1], 'XX', time[1], ARGV[at])
  elseif redis.call('ZREM', KEYS[1], ARGV[at]) == 1 then
    redis.call('DECRBY', KEYS[2], string.match(ARGV[at], '^%d+'))
  end
end
if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('DEL', KEYS[2]) end
return 1
