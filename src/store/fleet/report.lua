-- How an order went at an instance. ARGV: 1 order  2 instance  3 done or failed  4 why
local now = nowMs()
local kind = string.match(redis.call('HGET', OUTCOMES, ARGV[1] .. ' ' .. ARGV[2]) or '', '^%S+')
if kind == 'obeying' or kind == 'waiting' then note(ARGV[1], ARGV[2], ARGV[3], now, ARGV[4]) end
settle(ARGV[1], ARGV[2])
return { now }
