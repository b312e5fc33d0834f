-- Watches a schedule, unless it is watched. ARGV: 2 watch  3 since when (ms)  4 at most how long ago (ms)
if redis.call('HEXISTS', KEYS[4], ARGV[2]) == 0 then
  begin(ARGV[2], math.max(tonumber(ARGV[3]), nowMs() - tonumber(ARGV[4])))
end
return {}
