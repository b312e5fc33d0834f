-- Opens an alert of what is wrong now, or resolves it. Returns asItWas, or recorded with the news.
-- ARGV: 2 watch  3 system  4 name  5 kind  6 wrong (1 or 0)  7 since when (text)  8 detail, or what resolves it  9 tells (1 or 0)
local watch, kind, now, tells = ARGV[2], ARGV[5], nowMs(), ARGV[9] == '1'
local alert = openAlert(watch, kind)
if (ARGV[6] == '1') == (alert and true or false) then return { 'asItWas', now } end
if alert then return { 'recorded', now, told({ resolve(watch, alert, ARGV[8], now, tells) }) } end
local id = whole(redis.call('INCR', KEYS[11]))
alert = {
  id = id, system = ARGV[3], name = ARGV[4], kind = kind, state = 'open', openedAtMs = now, updatedAtMs = now, count = 1,
  firstSlot = ARGV[7], lastSlot = ARGV[7], lastDueMs = now, detail = ARGV[8],
}
redis.call('HSET', KEYS[6], watch .. '~' .. kind, id)
redis.call('ZADD', KEYS[7], id, id)
save(alert)
return { 'recorded', now, told({ tell('opened', alert, now, tells) }) }
