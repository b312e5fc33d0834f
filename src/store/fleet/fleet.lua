-- The registry of instances, what they are told, and how the fleet has changed. Prepended to each step.
--
-- KEYS: 1 leases (instance -> when its lease ends; and `~touched`, when any step was last taken, `~grace`, until when nobody is
--   taken for lost)  2 instances (hash: id -> row)  3 stats (hash: id -> a list of JSON, see fleet-text.ts)  4 wanted (hash: id -> "revision tasks", JSON)
--   5 ended (id -> when)  6 events (stream of changes)  7 counts (hash: seq, of changes; epoch, differs where seq was lost; rev; crev, of config;
--   "order <verb> <outcome>" and "restart <worker>": how many there were)
--   8 orders (hash: id -> JSON)  9 given (order -> when)  10 outcomes (hash: "order instance" -> "kind ms detail")
--   11 due ("order instance" -> until when it may be obeyed)  12 config (hash: "worker mailer" -> a line of JSON a revision)
--   13 recycles (hash: worker -> when one of its instances was ended that did not work)
-- All share one slot. A row is "change startedAt end endAt stuckSince facts": end is `-`, `ended`, `died` or `lost`, the facts are JSON
-- as the instance sent them, which are read here to count restarts alone.

local LEASES, INSTANCES, STATS, WANTED, ENDED, EVENTS = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local COUNTS, ORDERS, GIVEN, OUTCOMES, DUE, CONFIG = KEYS[7], KEYS[8], KEYS[9], KEYS[10], KEYS[11], KEYS[12]
local RECYCLES = KEYS[13]
-- Steps come each second where anybody is there: a longer silence was the store's own.
local SILENCE_MS, GRACE_MS = 3000, 10000
-- A thousand instances need not all write in each moment that somebody is there.
local TOUCHED_EVERY_MS = 100
local MOST_EVENTS, MOST_COUNTS, DIED_LONGER_MS = 5000, 1000, 23 * 3600000

local function nowMs()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- %.14g, in which numbers become text otherwise, is exact for times; this is for all whole numbers.
local function whole(number)
  return string.format('%.0f', number)
end

-- After an outage all leases have ended at once, and nobody is lost: they need time to say so.
local function touch(now)
  local noted = redis.call('ZSCORE', LEASES, '~touched')
  local touched = tonumber(noted or now)
  if now - touched > SILENCE_MS then redis.call('ZADD', LEASES, now + GRACE_MS, '~grace') end
  if not noted or math.abs(now - touched) >= TOUCHED_EVERY_MS then redis.call('ZADD', LEASES, now, '~touched') end
end

local function rowOf(id)
  local text = redis.call('HGET', INSTANCES, id)
  if not text then return nil end
  local started, ending, endedAt, stuck, facts = string.match(text, '^%d+ (%d+) (%S+) (%d+) (%d+) (.*)$')
  return { started = started, ending = ending, endedAt = endedAt, stuck = stuck, facts = facts }
end

-- A change: its number, the row and the event in one step, so that who listens misses none.
local function change(id, row)
  local number = redis.call('HINCRBY', COUNTS, 'seq', 1)
  local text = ''
  if row then
    text = table.concat({ whole(number), row.started, row.ending, row.endedAt, row.stuck, row.facts }, ' ')
    redis.call('HSET', INSTANCES, id, text)
  else
    redis.call('HDEL', INSTANCES, id)
    redis.call('HDEL', STATS, id)
    redis.call('HDEL', CONFIG, 'instance ' .. id)
  end
  redis.call('XADD', EVENTS, 'MAXLEN', '~', MOST_EVENTS, '*', 'n', number, 'id', id, 'row', text)
end

local function finish(id, row, kind, now)
  row.ending, row.endedAt, row.stuck = kind, whole(now), '0'
  change(id, row)
  redis.call('ZREM', LEASES, id)
  -- What is known of a death is kept for a day, and the row with it.
  redis.call('ZADD', ENDED, kind == 'died' and now + DIED_LONGER_MS or now, id)
end

local function tasksOf(id)
  local text = redis.call('HGET', WANTED, id)
  if not text then return 0, {} end
  local revision, tasks = string.match(text, '^(%d+) (.*)$')
  return tonumber(revision), cjson.decode(tasks)
end

local function want(id, tasks)
  local revision = redis.call('HINCRBY', COUNTS, 'rev', 1)
  -- An empty table would be written as an object.
  local text = #tasks > 0 and cjson.encode(tasks) or '[]'
  redis.call('HSET', WANTED, id, whole(revision) .. ' ' .. text)
end

-- Of more workers than anybody has, no more are counted.
local function countRestarts(id)
  local row = rowOf(id)
  if not row then return end
  -- Half a character, which JSON may escape, is nothing that this can read.
  local isRead, facts = pcall(cjson.decode, row.facts)
  for _, worker in ipairs(isRead and facts.workers or {}) do
    local field = 'restart ' .. worker.name
    if redis.call('HEXISTS', COUNTS, field) == 1 or redis.call('HLEN', COUNTS) < MOST_COUNTS then
      redis.call('HINCRBY', COUNTS, field, 1)
    end
  end
end

local function count(order, id, kind)
  local record = redis.call('HGET', ORDERS, order)
  if not record then return end
  local verb = string.match(record, '^%d+ %d+ {"task":{"verb":"(%l+)"')
  if not verb then return end
  redis.call('HINCRBY', COUNTS, 'order ' .. verb .. ' ' .. kind, 1)
  if verb == 'restart' and kind == 'done' then countRestarts(id) end
end

-- How an order went is noted once: whoever notes it has seen that it was not yet.
local function note(order, id, kind, now, detail)
  redis.call('HSET', OUTCOMES, order .. ' ' .. id, kind .. ' ' .. whole(now) .. ' ' .. detail)
  if kind ~= 'waiting' and kind ~= 'obeying' then count(order, id, kind) end
end

-- The order asks nothing more of the instance.
local function settle(order, id)
  redis.call('ZREM', DUE, order .. ' ' .. id)
  local _, tasks = tasksOf(id)
  local rest = {}
  for _, task in ipairs(tasks) do
    if task.order ~= order then rest[#rest + 1] = task end
  end
  if #rest < #tasks then want(id, rest) end
end
