-- A worker gives back the start that has this fence, alive and before its work came to an end: it counts as no death. Sent again it is
-- the same: counted twice it would let a job start once more that may be started only once.
-- ARGV: 3 fence
local record = pick('f', 'c', 'v', 'V')
if record.f == ARGV[3] and record.V ~= record.f and not record.c then
  redis.call('HSET', RECORD, 'v', tonumber(record.v or 0) + 1, 'V', record.f)
  note({ k = 'b', t = nowMs(), f = record.f })
end
return { 'givenBack' }
