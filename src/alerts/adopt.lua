-- Watches a schedule, unless it is watched. ARGV: 2 watch  3 since when (ms)
if redis.call('HEXISTS', KEYS[4], ARGV[2]) == 0 then begin(ARGV[2], tonumber(ARGV[3])) end
return {}
