-- Judges the deadline of a round: one that has come unreported is noted for the board, and enters the overdue index. One that is
-- still to come is on watch afterwards, whoever led or submitted the round.
local now, record = nowMs(), load()
local terms = record and record.o and cjson.decode(record.o) or {}
local function judge()
  if not record or not (record.l or terms.deadlineMs or record.d) then return 'notLed' end
  if record.c then return 'finished' end
  local deadlineAt = record.l and record.e + record.d or record.s + (terms.deadlineMs or record.d)
  return now < deadlineAt and 'pending' or 'overdue', deadlineAt
end

local verdict, deadlineAt = judge()
if verdict == 'pending' then
  redis.call('ZADD', DEADLINES, deadlineAt, ROUND)
  return { verdict, deadlineAt - now }
end
redis.call('ZREM', DEADLINES, ROUND)
if verdict == 'notLed' then return { verdict } end
if verdict == 'finished' then return answer(verdict, now) end
if record.q and not terms.deadlineMs and (not record.n or record.n == '0') then
  -- The board shows that nobody has taken it, and from now on what becomes of it: as if its submission had set the deadline.
  terms.deadlineMs = deadlineAt - record.s
  record.o = cjson.encode(terms)
  redis.call('HSET', RECORD, 'o', record.o)
end
if redis.call('ZADD', OVERDUE, deadlineAt, ROUND) == 1 and hasRoundJob(record) then
  redis.call('ZADD', OUTBOX, now, ROUND .. '~o')
end
trim(OVERDUE, now)
if not record.l then return { 'notStarted' } end
return answer(verdict, now)
