-- The deadline has come: an unreported round enters the overdue index.
local now, record = nowMs(), load()
local terms = record and record.o and cjson.decode(record.o) or {}
if not record or not (record.l or terms.deadlineMs) then return { 'notLed' } end
if record.c then return answer('finished', now) end
local deadlineAt = record.l and record.e + record.d or record.s + terms.deadlineMs
if now < deadlineAt then return { 'pending', deadlineAt - now } end
redis.call('ZADD', OVERDUE, deadlineAt, ROUND)
trim(OVERDUE, now)
if not record.l then return { 'notStarted' } end
return answer('overdue', now)
