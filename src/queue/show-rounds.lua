-- Shows rounds as they have ended: as jobs that BullMQ has completed or failed, without its handing them to anybody first. The
-- layout is BullMQ's (`storeJob`, `moveToFinished`), and our own two fields: `fence` and `rank`, which say what was seen of the round.
-- KEYS: 1 completed  2 failed  3 delayed  4 events, then for each round its job. ARGV: 1 what all jobs' keys begin with  2 how long
-- ended jobs are kept, in ms  3 how many, then for each round 9: job's id, where it is shown ('' = nowhere), fence, rank (0 = led,
-- 1 = overdue, 2 = reported), name, data, elected or submitted at, ended at, return value or reason
-- Returns for each round 1, or 0 where BullMQ has its job in hand.
local COMPLETED, FAILED, DELAYED, EVENTS = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local PREFIX, KEPT_MS, KEPT = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local MOST_AT_ONCE, MOST_EVENTS = 1000, 10000

-- True if the board knows more of the round than was seen. By time too, because fences begin anew where records were lost.
local function isStale(known, addedAt, fence, rank, id)
  -- Of an older build, or ended by one: a completed round stays completed, a led one has its job until its deadline.
  if not known.fence then
    return rank < 2 and redis.call('ZSCORE', COMPLETED, id) or rank == 0 and redis.call('ZSCORE', DELAYED, id)
  end
  if addedAt > known.addedAt then return false end
  return fence < known.fence or fence == known.fence and rank < known.rank
end

-- Takes the round's job out of its set, if there is one. Returns 'free', 'stale' or 'inHand'.
local function makeRoom(job, id, addedAt, fence, rank)
  local values = redis.call('HMGET', job, 'timestamp', 'fence', 'rank')
  if not values[1] then return 'free' end
  local known = { addedAt = tonumber(values[1]), fence = values[2] and tonumber(values[2]), rank = values[3] and tonumber(values[3]) }
  if isStale(known, addedAt, fence, rank, id) then return 'stale' end
  for _, set in ipairs({ FAILED, COMPLETED, DELAYED }) do
    if redis.call('ZREM', set, id) == 1 then
      redis.call('DEL', job)
      return 'free'
    end
  end
  return 'inHand'
end

local function show(job, id, as, fence, rank, name, data, addedAt, endedAt, text)
  local room = makeRoom(job, id, tonumber(addedAt), tonumber(fence), tonumber(rank))
  if room == 'inHand' then return 0 end
  if room == 'stale' or as == '' then return 1 end
  local set, field = COMPLETED, 'returnvalue'
  if as == 'failed' then
    set, field = FAILED, 'failedReason'
    redis.call('HSET', job, 'stacktrace', cjson.encode({ text }))
  end
  redis.call(
    'HSET', job, 'name', name, 'data', data, 'opts', '{}', 'timestamp', addedAt, 'delay', 0, 'priority', 0, 'atm', 1,
    'finishedOn', endedAt, field, text, 'fence', fence, 'rank', rank
  )
  redis.call('ZADD', set, endedAt, id)
  redis.call('XADD', EVENTS, 'MAXLEN', '~', MOST_EVENTS, '*', 'event', as, 'jobId', id, field, text, 'prev', 'active')
  return 1
end

local function remove(set, ids)
  if #ids == 0 then return end
  redis.call('ZREM', set, unpack(ids))
  for _, id in ipairs(ids) do redis.call('DEL', PREFIX .. id, PREFIX .. id .. ':logs') end
end

local function trim(set, now)
  remove(set, redis.call('ZRANGEBYSCORE', set, '-inf', now - KEPT_MS, 'LIMIT', 0, MOST_AT_ONCE))
  local excess = redis.call('ZCARD', set) - KEPT
  if excess > 0 then remove(set, redis.call('ZRANGE', set, 0, math.min(excess, MOST_AT_ONCE) - 1)) end
end

local shown = {}
for index = 1, #KEYS - 4 do
  local from = 4 + (index - 1) * 9
  shown[index] = show(KEYS[4 + index], unpack(ARGV, from, from + 8))
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
trim(COMPLETED, now)
trim(FAILED, now)
return shown
