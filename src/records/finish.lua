-- The end of a submitted round, told by the worker that ran its job, who need not know more than that it counts.
-- ARGV: as for complete, and 9 outcome. Returns verdict, now, and the record where another ended it.
local verdict, now = settle(ARGV[9])
if verdict == 'refused' then return answer(verdict, now) end
return { verdict, now }
