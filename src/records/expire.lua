-- The deadline has come: an unreported round enters the overdue index.
local now, record = nowMs(), load()
if not record then return { 'notLed' } end
if not record.l then
  redis.call('ZADD', OVERDUE, now, ROUND)
  trim(OVERDUE, now)
  return { 'notStarted' }
end
if record.c then return answer('finished', now) end
local deadlineAt = record.e + record.d
if now < deadlineAt then return answer('pending', now) end
redis.call('ZADD', OVERDUE, deadlineAt, ROUND)
trim(OVERDUE, now)
return answer('overdue', now)
