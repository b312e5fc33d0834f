-- Decides who leads. ARGV: 3 address  4 identity  5 lease ms (0 = none)  6 deadline ms  7 gate value ('' = none)
-- 8 what it calls itself ('' = not said)
-- Returns verdict, now, record (of a new round led without lease and gate value only the fence), and for a takeover the
-- previous leader and fence.
local now, record = nowMs(), load()
local candidate = {
  address = ARGV[3], identity = ARGV[4], leaseMs = tonumber(ARGV[5]), deadlineMs = ARGV[6], gate = ARGV[7], name = ARGV[8],
}

if record and record.l then
  if record.c then return answer('lost', now) end
  if record.i == candidate.identity then
    if record.t then extend(record, now, tonumber(record.t)) end
    tell(record)
    return answer('alreadyLeader', now)
  end
  -- One that is nobody's is so whatever the clock of Redis says: it may have been set back.
  if record.i ~= '' and (not record.t or now < record.e + record.x) then return answer('lost', now) end
end

local replaces = record and record.l
local fence = lead(now, candidate, replaces)
if replaces then
  noteLead(record)
  noteFormer(record.i)
end
redis.call('ZADD', DEADLINES, now + candidate.deadlineMs, ROUND)
if not record and candidate.leaseMs == 0 and candidate.gate == '' then
  -- The usual case: the caller knows all else that was written.
  return { 'elected', now, fence }
end
-- The board shows it as overdue, or is about to.
if record and redis.call('ZREM', OVERDUE, ROUND) == 1 then noteLed(now) end
if not replaces then return answer('elected', now) end
return answer('takenOver', now, record.l, record.f)
