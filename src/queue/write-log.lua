-- Writes a line into a job's log, which ends with a note once it is full. KEYS: 1 job 2 its log. ARGV: 1 line 2 lines at most 3 note.
-- Answers 1 where it is written, 0 where the log is full, -1 where there is no job
if redis.call('EXISTS', KEYS[1]) == 0 then return -1 end
local lines, most = redis.call('LLEN', KEYS[2]), tonumber(ARGV[2])
if lines < most then
  redis.call('RPUSH', KEYS[2], ARGV[1])
  return 1
end
if lines == most then redis.call('RPUSH', KEYS[2], ARGV[3]) end
return 0
