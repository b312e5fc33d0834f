-- A worker starts an attempt at the round's job. The leader is the job, so a later attempt is the same leader with a
-- higher fence. ARGV: 3 address  4 identity  5 deadline ms where the submission set none  6 most starts
local now, record = nowMs(), load()
local starts, mostStarts, deadlineMs = 0, tonumber(ARGV[6]), tonumber(ARGV[5])
if record and record.o then
  local terms = cjson.decode(record.o)
  if terms.ifExecutorDies == 'fail' then mostStarts = 1 end
  if terms.deadlineMs then deadlineMs = math.max(1, record.s + terms.deadlineMs - now) end
end
if record and record.l then
  if record.c then return answer('finished', now) end
  if record.i ~= ARGV[4] then return answer('lost', now) end
  starts = tonumber(record.n)
  if starts >= mostStarts then return answer('spent', now) end
end
lead(now, { address = ARGV[3], identity = ARGV[4], deadlineMs = deadlineMs, leaseMs = 0, gate = '' }, record and record.l)
redis.call('HSET', RECORD, 'n', starts + 1)
redis.call('ZREM', OVERDUE, ROUND)
return answer('started', now)
