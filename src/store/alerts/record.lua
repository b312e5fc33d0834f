-- Records a look at a watch: its progress, alerts and the outbox. Nothing where the watch has changed meanwhile.
-- ARGV: 2 watch  3 system  4 name  5 version it was taken at  6 cursor  7 slots (JSON)  8 next look (ms)
--   9 news (JSON: see SlotNews)  10 tells (1 or 0)
local watch = ARGV[2]
local version, cursor = string.match(redis.call('HGET', KEYS[4], watch) or '', '^(%d+) (%d+) ')
if version ~= ARGV[5] or tonumber(ARGV[6]) < tonumber(cursor) then return { 'superseded' } end

local now, tells, happened = nowMs(), ARGV[10] == '1', {}
redis.call('HSET', KEYS[4], watch, whole(redis.call('INCR', KEYS[11])) .. ' ' .. ARGV[6] .. ' ' .. ARGV[7])
redis.call('ZADD', KEYS[3], ARGV[8], watch)

local function bad(news)
  local alert = openAlert(watch, news.alert)
  local isNew = not alert
  if isNew then
    local id = whole(redis.call('INCR', KEYS[11]))
    alert = {
      id = id, system = ARGV[3], name = ARGV[4], kind = news.alert, state = 'open',
      openedAtMs = now, count = 0, firstSlot = news.slot, lastDueMs = 0,
    }
    redis.call('HSET', KEYS[6], watch .. '~' .. news.alert, id)
    redis.call('ZADD', KEYS[7], id, id)
  end
  alert.count, alert.updatedAtMs = alert.count + 1, now
  if news.dueMs >= alert.lastDueMs then
    alert.lastSlot, alert.lastDueMs, alert.lastRound, alert.detail = news.slot, news.dueMs, news.round, news.detail
  end
  save(alert)
  if isNew then happened[#happened + 1] = tell('opened', alert, now, tells) end
end

local function good(news)
  for _, kind in ipairs(KINDS) do
    local alert = openAlert(watch, kind)
    if alert and alert.lastDueMs < news.dueMs then
      happened[#happened + 1] = resolve(watch, alert, news.resolution, now, tells)
    end
  end
end

local function came(news)
  local alert = openAlert(watch, 'missed')
  if alert and alert.lastSlot == news.slot then
    happened[#happened + 1] = resolve(watch, alert, news.resolution, now, tells)
  end
end

local steps = { bad = bad, good = good, came = came }
for _, news in ipairs(cjson.decode(ARGV[9])) do steps[news.kind](news) end
return { 'recorded', now, told(happened) }
