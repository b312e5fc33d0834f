-- Stops watching and resolves what is open. ARGV: 2 watch  3 its name in the index  4 resolution  5 tells (1 or 0)
if redis.call('HDEL', KEYS[4], ARGV[2]) == 0 then return { 'notWatched' } end
local now, news = nowMs(), {}
redis.call('HDEL', KEYS[1], ARGV[2])
redis.call('ZREM', KEYS[2], ARGV[3])
redis.call('ZREM', KEYS[3], ARGV[2])
redis.call('HDEL', KEYS[12], ARGV[2])
for _, kind in ipairs(KINDS) do
  local alert = openAlert(ARGV[2], kind)
  if alert then news[#news + 1] = resolve(ARGV[2], alert, ARGV[4], now, ARGV[5] == '1') end
end
return { 'dropped', now, told(news) }
