-- A worker gives back the start that has this fence, alive and before its work came to an end: it counts as no death. Sent again it is
-- the same: counted twice it would let a job start once more that may be started only once.
-- Its event is what tells, because builds before this rule have noted it too.
-- ARGV: 3 fence
local record = pick('f', 'c', 'E')
for _, event in ipairs(record.E and cjson.decode(record.E) or {}) do
  if event.k == 'b' and event.f == ARGV[3] then return { 'givenBack' } end
end
if record.f == ARGV[3] and not record.c then
  redis.call('HINCRBY', RECORD, 'v', 1)
  note({ k = 'b', t = nowMs(), f = record.f })
end
return { 'givenBack' }
