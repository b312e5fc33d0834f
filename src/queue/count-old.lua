-- What is in queues where older builds kept it, three numbers each: what waits or is being moved, what is run, what has ended.
-- KEYS, of each: wait, paused, moving, active, delayed, prioritized, completed, failed
local found = {}
for at = 1, #KEYS, 8 do
  local pending = redis.call('ZCARD', KEYS[at + 4]) + redis.call('ZCARD', KEYS[at + 5])
  for list = at, at + 2 do pending = pending + redis.call('LLEN', KEYS[list]) end
  found[#found + 1] = pending
  found[#found + 1] = redis.call('LLEN', KEYS[at + 3])
  found[#found + 1] = redis.call('ZCARD', KEYS[at + 6]) + redis.call('ZCARD', KEYS[at + 7])
end
return found
