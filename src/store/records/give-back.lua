-- A worker gives back the start that has this fence, alive and before its work came to an end: it counts as no death.
-- ARGV: 3 fence
local record = pick('f', 'c')
if record.f == ARGV[3] and not record.c then
  redis.call('HINCRBY', RECORD, 'v', 1)
  note({ k = 'b', t = nowMs(), f = record.f })
end
return { 'givenBack' }
