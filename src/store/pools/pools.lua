-- Pools of instances, the places that they have, and the supervisors that take these. Prepended to each step.
--
-- KEYS: 1 pools (hash: name -> JSON)  2 places (hash: "mail/2" -> JSON)  3 supervisors (hash: id -> JSON, what they say of themselves)
--   4 reports (hash: id -> JSON, how their places are)  5 leases (id -> when its lease ends; and `~touched`, when any step was last taken,
--   `~grace`, until when nobody is taken for lost)  6 counts (hash: rev, of changes of pools, places and supervisors)
-- All share one slot. What is JSON here is read by nobody but those who write it.

local POOLS, PLACES, SUPERVISORS, REPORTS, LEASES, COUNTS = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
-- Steps come every two seconds where anybody is there: a longer silence was the store's own.
local SILENCE_MS, GRACE_MS = 5000, 10000

local function nowMs()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- After an outage all leases have ended at once, and nobody is lost: they need time to say so.
local function touch(now)
  local touched = tonumber(redis.call('ZSCORE', LEASES, '~touched') or now)
  if now - touched > SILENCE_MS then redis.call('ZADD', LEASES, now + GRACE_MS, '~grace') end
  redis.call('ZADD', LEASES, now, '~touched')
end

local function revise()
  return redis.call('HINCRBY', COUNTS, 'rev', 1)
end

local function forget(id)
  redis.call('HDEL', SUPERVISORS, id)
  redis.call('HDEL', REPORTS, id)
  redis.call('ZREM', LEASES, id)
end
