-- Submits the round as a job. The first submission's data is kept. ARGV: 3 queue  4 digest  5 data and options  6 how it
-- is run ('' = as usual)
local now, record = nowMs(), load()
if record then return answer('duplicate', now) end
redis.call('HSET', RECORD, 'q', ARGV[3], 's', now, 'h', ARGV[4], 'p', ARGV[5])
if ARGV[6] ~= '' then redis.call('HSET', RECORD, 'o', ARGV[6]) end
keep(RECORD)
list(now, 0)
redis.call('ZADD', OUTBOX, now, ROUND .. '~s')
return answer('submitted', now)
