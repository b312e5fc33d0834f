-- An instance is about to obey. ARGV: 1 order  2 instance. Returns 1 if it may: it is in time, and has not obeyed before.
local now = nowMs()
local kind = string.match(redis.call('HGET', OUTCOMES, ARGV[1] .. ' ' .. ARGV[2]) or '', '^%S+')
-- It has asked before, and the answer was lost.
if kind == 'obeying' then return { 1 } end
if kind ~= 'waiting' then return { 0 } end
if now >= tonumber(redis.call('ZSCORE', DUE, ARGV[1] .. ' ' .. ARGV[2]) or 0) then
  note(ARGV[1], ARGV[2], 'expired', now, '')
  settle(ARGV[1], ARGV[2])
  return { 0 }
end
note(ARGV[1], ARGV[2], 'obeying', now, '')
return { 1 }
