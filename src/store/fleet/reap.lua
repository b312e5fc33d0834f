-- Takes the silent for lost, and forgets those that ended long ago. ARGV: 1 how long these are kept (ms)  2 how many at most
-- Returns how many were lost, and 1 if there may be more to do.
local AT_ONCE = 100
local now, keep, most = nowMs(), tonumber(ARGV[1]), tonumber(ARGV[2])
touch(now)
local lost, isMore = 0, 0
if now >= tonumber(redis.call('ZSCORE', LEASES, '~grace') or 0) then
  local silent = redis.call('ZRANGEBYSCORE', LEASES, '-inf', '(' .. whole(now), 'LIMIT', 0, AT_ONCE)
  for _, id in ipairs(silent) do
    if string.sub(id, 1, 1) ~= '~' then
      local row = rowOf(id)
      if row and row.ending == '-' then
        finish(id, row, 'lost', now)
        lost = lost + 1
      else
        redis.call('ZREM', LEASES, id)
      end
    end
  end
  if #silent == AT_ONCE then isMore = 1 end
end
local old = redis.call('ZRANGEBYSCORE', ENDED, '-inf', now - keep, 'LIMIT', 0, AT_ONCE)
if #old == 0 and redis.call('ZCARD', ENDED) > most then old = redis.call('ZRANGE', ENDED, 0, AT_ONCE - 1) end
for _, id in ipairs(old) do
  redis.call('ZREM', ENDED, id)
  redis.call('HDEL', WANTED, id)
  change(id, nil)
end
if #old == AT_ONCE then isMore = 1 end
return { lost, isMore }
