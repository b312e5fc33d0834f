-- Submits the round as a job. The first submission's data is kept. ARGV: 3 queue  4 digest  5 data and options  6 how it
-- is run ('' = as usual)  7 delay ms  8 when it starts at the earliest, instead of a delay ('' = none of both)
-- 9 deadline ms where it sets none (0 = none), by which a worker has to start it
local now, record = nowMs(), load()
-- Counted for who looks at it alone: where memory is full, it is not.
if record and record.h == ARGV[4] then redis.pcall('HINCRBY', RECORD, 'M', 1) end
if record then return answer('duplicate', now) end
redis.call('HSET', RECORD, 'q', ARGV[3], 's', now, 'h', ARGV[4], 'p', ARGV[5])
local notBefore = tonumber(ARGV[8]) or ARGV[7] ~= '' and now + ARGV[7]
local restMs = math.max(0, (notBefore or now) - now)
if restMs > 0 then redis.call('HSET', RECORD, 'y', string.format('%.0f', notBefore)) end
if ARGV[6] ~= '' then redis.call('HSET', RECORD, 'o', ARGV[6]) end
local deadlineMs = ARGV[6] ~= '' and cjson.decode(ARGV[6]).deadlineMs
if not deadlineMs and tonumber(ARGV[9]) > 0 then
  -- From when it may be started; and no later than the record is kept.
  deadlineMs = restMs + ARGV[9]
  if RETENTION > 0 then deadlineMs = math.max(1, math.min(deadlineMs, RETENTION + restMs - HOUR_MS)) end
  redis.call('HSET', RECORD, 'd', deadlineMs)
end
if deadlineMs then redis.call('ZADD', DEADLINES, now + deadlineMs, ROUND) end
keepRecord(ARGV[6])
-- Its job is run only as long as the record is there. A call does not wait for a time.
if restMs > 0 and RETENTION > 0 then redis.call('PEXPIRE', RECORD, RETENTION + restMs) end
if not isCall(ARGV[6]) then list(now, 0) end
redis.call('ZADD', OUTBOX, now, ROUND .. '~s')
return answer('submitted', now)
