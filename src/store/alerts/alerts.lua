-- Expectations, how far each is watched, and alerts. Prepended to each step, so that these rules exist once.
--
-- KEYS: 1 expectations (hash: watch -> JSON)  2 names (sorted by member)  3 due (when each watch is looked at)
--   4 progress (hash: watch -> "version cursor slots")  5 alerts (hash: id -> JSON)  6 open (hash: watch~kind -> id)
--   7 opened (open alerts by id)  8 resolved (resolved alerts by id)  9 ended (resolved alerts by when)  10 outbox
--   11 counter  12 counted (hash: watch -> ms)
-- All share one slot. Every step takes ARGV: 1 retention ms (0 = for ever), then its own.

local RETENTION = tonumber(ARGV[1])
local KINDS = { 'missed', 'late', 'unreported', 'failed', 'few-candidates' }
local TRIMMED_AT_ONCE = 100
local MOST_RESOLVED = 100000

local function nowMs()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- %.14g, in which numbers become text otherwise, is exact for times; this is for all whole numbers.
local function whole(number)
  return string.format('%.0f', number)
end

local function save(alert)
  redis.call('HSET', KEYS[5], alert.id, cjson.encode(alert))
end

local function openAlert(watch, kind)
  local id = redis.call('HGET', KEYS[6], watch .. '~' .. kind)
  if not id then return nil end
  local text = redis.call('HGET', KEYS[5], id)
  return text and cjson.decode(text)
end

-- A piece of news; where it is to be told it is in the outbox by then.
local function tell(event, alert, now, tells)
  if tells then redis.call('ZADD', KEYS[10], now, alert.id .. '-' .. event) end
  return { event, alert.id }
end

-- The news for the answer, with the alerts as the step leaves them.
local function told(news)
  for _, one in ipairs(news) do one[2] = redis.call('HGET', KEYS[5], one[2]) end
  return news
end

local function forget(ids)
  for _, id in ipairs(ids) do
    redis.call('HDEL', KEYS[5], id)
    redis.call('ZREM', KEYS[8], id)
    redis.call('ZREM', KEYS[9], id)
  end
end

local function trim(now)
  -- A cause that comes and goes with every slot must not fill the memory.
  if redis.call('ZCARD', KEYS[9]) > MOST_RESOLVED then forget(redis.call('ZRANGE', KEYS[9], 0, 0)) end
  if RETENTION == 0 then return end
  forget(redis.call('ZRANGEBYSCORE', KEYS[9], '-inf', now - RETENTION, 'LIMIT', 0, TRIMMED_AT_ONCE))
end

local function resolve(watch, alert, resolution, now, tells)
  alert.state, alert.resolvedAtMs, alert.updatedAtMs, alert.resolution = 'resolved', now, now, resolution
  save(alert)
  redis.call('HDEL', KEYS[6], watch .. '~' .. alert.kind)
  redis.call('ZREM', KEYS[7], alert.id)
  redis.call('ZADD', KEYS[8], alert.id, alert.id)
  redis.call('ZADD', KEYS[9], now, alert.id)
  trim(now)
  return tell('resolved', alert, now, tells)
end

-- Starts a watch at the cursor, with nothing that is followed. Its version differs from all before it.
local function begin(watch, cursor)
  local version = redis.call('INCR', KEYS[11])
  redis.call('HSET', KEYS[4], watch, whole(version) .. ' ' .. whole(cursor) .. ' []')
  redis.call('ZADD', KEYS[3], cursor, watch)
end

