-- Orders that were not obeyed in time never are. Returns how many those were, and 1 if there may be more to do.
local AT_ONCE = 100
local now, expired = nowMs(), 0
local due = redis.call('ZRANGEBYSCORE', DUE, '-inf', now, 'LIMIT', 0, AT_ONCE)
for _, entry in ipairs(due) do
  local order, id = string.match(entry, '^(%S+) (%S+)$')
  local kind = string.match(redis.call('HGET', OUTCOMES, entry) or '', '^%S+')
  local row = rowOf(id)
  if kind == 'waiting' then
    note(order, id, 'expired', now, '')
    settle(order, id)
    expired = expired + 1
  elseif kind == 'obeying' and row and row.ending == '-' then
    -- It was in time, and is at it: a drain takes a while.
    redis.call('ZADD', DUE, now + 1000, entry)
  else
    if kind == 'obeying' then note(order, id, 'failed', now, 'the instance ended while it obeyed') end
    settle(order, id)
  end
end
return { expired, #due == AT_ONCE and 1 or 0 }
