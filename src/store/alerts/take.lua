-- Gives out watches whose look is due, and to nobody else for a while. ARGV: 2 limit  3 how long (ms)
local now, taken = nowMs(), {}
local due = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now, 'LIMIT', 0, ARGV[2])
for _, watch in ipairs(due) do
  local progress = redis.call('HGET', KEYS[4], watch)
  if progress then
    redis.call('ZADD', KEYS[3], now + ARGV[3], watch)
    taken[#taken + 1] = { watch, progress, redis.call('HGET', KEYS[1], watch) }
  else
    redis.call('ZREM', KEYS[3], watch)
  end
end
return { now, taken }
