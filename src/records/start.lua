-- A worker starts an attempt at the round's job. The leader is the job, so a later attempt is the same leader with a
-- higher fence. ARGV: 3 address  4 identity  5 deadline ms where the submission set none  6 most starts
-- Returns started, now, fence and how it is run (JSON); or why it is not started, now and the record.
local now, record = nowMs(), pick('l', 'i', 'c', 'n', 's', 'o')
local starts, mostStarts, deadlineMs = 0, tonumber(ARGV[6]), tonumber(ARGV[5])
if record.o then
  local terms = cjson.decode(record.o)
  if terms.ifExecutorDies == 'fail' then mostStarts = 1 end
  if terms.deadlineMs then deadlineMs = math.max(1, record.s + terms.deadlineMs - now) end
end
if record.l then
  if record.c then return answer('finished', now) end
  if record.i ~= ARGV[4] then return answer('lost', now) end
  starts = tonumber(record.n)
  if starts >= mostStarts then return answer('spent', now) end
end
-- First, because it is refused where memory is full.
local fence = redis.call('INCR', FENCE)
redis.call(
  'HSET', RECORD, 'l', ARGV[3], 'i', ARGV[4], 'f', fence, 'e', now, 'd', deadlineMs, 'n', starts + 1
)
keep(RECORD)
-- The submission has listed the round, unless its record was lost.
if not record.s and not record.l then list(now, 0) end
return { 'started', now, fence, record.o or '' }
