-- A supervisor is there. ARGV: 1 id  2 what it says of itself  3 how its places are  4 lease (ms)  5 how long those are kept that are
--   lost (ms)  Returns the revision.
local now = nowMs()
touch(now)
if redis.call('HGET', SUPERVISORS, ARGV[1]) ~= ARGV[2] then
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', LEASES, '-inf', now - tonumber(ARGV[5]), 'LIMIT', 0, 100)) do
    if string.sub(id, 1, 1) ~= '~' then forget(id) end
  end
  redis.call('HSET', SUPERVISORS, ARGV[1], ARGV[2])
  revise()
end
redis.call('HSET', REPORTS, ARGV[1], ARGV[3])
redis.call('ZADD', LEASES, now + tonumber(ARGV[4]), ARGV[1])
return { tonumber(redis.call('HGET', COUNTS, 'rev') or 0) }
