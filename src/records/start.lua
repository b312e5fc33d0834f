-- A worker starts an attempt at the round's job. The leader is the job, so a later attempt is the same leader with a
-- higher fence. ARGV: 3 address  4 identity  5 deadline ms  6 most starts (0 = any number)
local now, record = nowMs(), load()
local starts = 0
if record and record.l then
  if record.c then return answer('finished', now) end
  if record.i ~= ARGV[4] then return answer('lost', now) end
  starts = tonumber(record.n)
  if tonumber(ARGV[6]) > 0 and starts >= tonumber(ARGV[6]) then return answer('spent', now) end
end
lead(now, { address = ARGV[3], identity = ARGV[4], deadlineMs = ARGV[5], leaseMs = 0, gate = '' })
redis.call('HSET', KEYS[1], 'n', starts + 1)
redis.call('ZREM', KEYS[5], ROUND)
return answer('started', now)
