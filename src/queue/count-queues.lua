-- How queues stand, nine numbers each: waiting, active, delayed, prioritized, completed, failed; those of the delayed that are
-- due for ARGV[1] ms; what grows when a job ends; 1 if nobody is to take any. KEYS, of each: wait, active, delayed, prioritized,
-- completed, failed, meta, limiter
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
-- BullMQ scores a delayed job by its time in ms, with room for 4,096 of the same.
local due = (now - ARGV[1]) * 4096

local function lastOf(key)
  return tonumber(redis.call('ZREVRANGE', key, 0, 0, 'WITHSCORES')[2] or 0)
end

local function isHeld(meta, limiter, active)
  local paused, concurrency, max = unpack(redis.call('HMGET', meta, 'paused', 'concurrency', 'max'))
  if paused or (concurrency and active >= tonumber(concurrency)) then return true end
  local taken = tonumber(redis.call('GET', limiter) or 0)
  return taken > 0 and (not max or taken >= tonumber(max))
end

local found = {}
for at = 1, #KEYS, 8 do
  local active = redis.call('LLEN', KEYS[at + 1])
  local counts = {
    redis.call('LLEN', KEYS[at]),
    active,
    redis.call('ZCARD', KEYS[at + 2]),
    redis.call('ZCARD', KEYS[at + 3]),
    redis.call('ZCARD', KEYS[at + 4]),
    redis.call('ZCARD', KEYS[at + 5]),
    redis.call('ZCOUNT', KEYS[at + 2], '-inf', due),
    lastOf(KEYS[at + 4]) + lastOf(KEYS[at + 5]),
    isHeld(KEYS[at + 6], KEYS[at + 7], active) and 1 or 0,
  }
  for _, count in ipairs(counts) do found[#found + 1] = count end
end
return found
