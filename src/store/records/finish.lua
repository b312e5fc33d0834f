-- The end of a submitted round, told by the worker that ran its job, who need not know more than that it counts.
-- ARGV: as for complete, and 9 outcome, and where a gate was passed with the start 10 value of its lock, which is given up. Returns verdict, now, and the record where another ended it.
local verdict, now = settle(ARGV[9])
if KEYS[7] and redis.call('GET', KEYS[7]) == ARGV[10] then redis.call('DEL', KEYS[7]) end
if verdict == 'refused' then return answer(verdict, now) end
return { verdict, now }
