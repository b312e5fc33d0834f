-- Makes anybody's the jobs of a queue that are for a region: what waits, is delayed, or was in the hand of somebody who holds it no more.
-- A job goes as it is, with its attempts and its log, or not at all.
-- KEYS: from where  1 wait  2 active  3 delayed  4 prioritized  5 stalled   to where  6 wait  7 delayed  8 prioritized  9 marker
--   10 completed  11 failed
-- ARGV: 1 what the keys of jobs begin with there  2 and here  3 how many of each kind at once
-- Returns how many, and 1 if there may be more.
local most, moved, isMore = tonumber(ARGV[3]), 0, 0

-- Where one of the round is there already: the same is enough, a later submission's too, and one that has ended makes room. Returns
-- whether it is there now; nil where it stays, because another of the round is run there: the next look finds that it has ended.
local function isMoved(id)
  local from, to = ARGV[1] .. id, ARGV[2] .. id
  local made, other = redis.call('HGET', from, 'timestamp'), redis.call('HGET', to, 'timestamp')
  if not made then return false end
  if other then
    if tonumber(made) <= tonumber(other) then
      redis.call('DEL', from, from .. ':logs')
      return false
    end
    if redis.call('EXISTS', to .. ':lock') == 1 then return nil end
    redis.call('ZREM', KEYS[10], id)
    redis.call('ZREM', KEYS[11], id)
    redis.call('LREM', KEYS[6], 0, id)
    redis.call('ZREM', KEYS[7], id)
    redis.call('ZREM', KEYS[8], id)
    redis.call('DEL', to, to .. ':logs')
  end
  redis.call('RENAME', from, to)
  if redis.call('EXISTS', from .. ':logs') == 1 then redis.call('RENAME', from .. ':logs', to .. ':logs') end
  moved = moved + 1
  return true
end

-- The oldest is at the end, and is taken first.
for _ = 1, most do
  local id = redis.call('RPOP', KEYS[1])
  if not id then break end
  local is = isMoved(id)
  if is then redis.call('LPUSH', KEYS[6], id) elseif is == nil then redis.call('LPUSH', KEYS[1], id) end
end
for _, id in ipairs(redis.call('LRANGE', KEYS[2], 0, most - 1)) do
  if redis.call('EXISTS', ARGV[1] .. id .. ':lock') == 0 then
    local is = isMoved(id)
    if is ~= nil then
      redis.call('LREM', KEYS[2], 1, id)
      redis.call('SREM', KEYS[5], id)
    end
    if is then redis.call('RPUSH', KEYS[6], id) end
  end
end
for from, to in pairs({ [KEYS[3]] = KEYS[7], [KEYS[4]] = KEYS[8] }) do
  local found = redis.call('ZRANGE', from, 0, most - 1, 'WITHSCORES')
  for index = 1, #found, 2 do
    local is = isMoved(found[index])
    if is ~= nil then redis.call('ZREM', from, found[index]) end
    if is then redis.call('ZADD', to, found[index + 1], found[index]) end
  end
end
-- Whoever waits for a job looks then, also whether a delayed one is due.
if moved > 0 then redis.call('ZADD', KEYS[9], 0, '0') end
if moved >= most then isMore = 1 end
return { moved, isMore }
