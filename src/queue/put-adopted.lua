-- Puts a job where it belongs, as it was where older builds kept it, unless it is there. KEYS: 1 job  2 its log  3 its lock  4 wait
-- 5 delayed  6 prioritized  7 completed  8 failed  9 marker  10 count of prioritized
-- ARGV: 1 id  2 state  3 score  4 when it was made  5 how many lines its log has, then these, then fields and values of the job
-- Returns 1 if it is put, 0 if one of the round is here that is the same or younger, -1 if an older one is being run here.
local id, state, score, lines = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[5])
local known = redis.call('HGET', KEYS[1], 'timestamp')
if known then
  if tonumber(known) >= tonumber(ARGV[4]) then return 0 end
  if redis.call('EXISTS', KEYS[3]) == 1 then return -1 end
  redis.call('LREM', KEYS[4], 0, id)
  for at = 5, 8 do redis.call('ZREM', KEYS[at], id) end
  redis.call('DEL', KEYS[1], KEYS[2])
end
for at = 6, 5 + lines do redis.call('RPUSH', KEYS[2], ARGV[at]) end
for at = 6 + lines, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[at], ARGV[at + 1]) end
if state == 'next' then
  redis.call('RPUSH', KEYS[4], id)
elseif state == 'wait' then
  redis.call('LPUSH', KEYS[4], id)
else
  redis.call('ZADD', KEYS[({ delayed = 5, prioritized = 6, completed = 7, failed = 8 })[state]], score, id)
end
-- BullMQ counts jobs of one priority in the lower 32 bits: those to come are behind this one.
local number = state == 'prioritized' and score % 4294967296 or 0
if number > tonumber(redis.call('GET', KEYS[10]) or 0) then redis.call('SET', KEYS[10], string.format('%.0f', number)) end
-- Whoever waits for a job looks then, also whether a delayed one is due.
if state ~= 'completed' and state ~= 'failed' then redis.call('ZADD', KEYS[9], 0, '0') end
return 1
