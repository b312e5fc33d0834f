-- A leader's sign of life. ARGV: 3 identity  4 fence ('' = none)  5 lease ms (0 = as before)
local now, record = nowMs(), load()
if not record or not record.l then return { 'notLed' } end
if not provesLeadership(record, ARGV[3], ARGV[4]) then return answer('superseded', now) end
if record.c then return answer('finished', now) end
tell(record)
-- A round without a lease never gets one: others remember that its leader cannot change.
if record.t then
  local leaseMs = tonumber(ARGV[5])
  if leaseMs == 0 then leaseMs = tonumber(record.t) end
  extend(record, now, leaseMs)
end
return answer('renewed', now)
