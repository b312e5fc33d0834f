-- All of it at one moment. Returns now, revision, 1 if nobody is lost now, then pools, places, supervisors, reports, each a list of name and
-- text, and a list of supervisors and when their leases end.
local now = nowMs()
-- Where nobody has a pool and nobody takes places, this only reads.
if redis.call('EXISTS', POOLS) == 1 or redis.call('EXISTS', SUPERVISORS) == 1 then touch(now) end
local isGrace = now < tonumber(redis.call('ZSCORE', LEASES, '~grace') or 0)
return {
  now, tonumber(redis.call('HGET', COUNTS, 'rev') or 0), isGrace and 1 or 0,
  redis.call('HGETALL', POOLS), redis.call('HGETALL', PLACES), redis.call('HGETALL', SUPERVISORS),
  redis.call('HGETALL', REPORTS), redis.call('ZRANGE', LEASES, 0, -1, 'WITHSCORES'),
}
