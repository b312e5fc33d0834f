-- Takes a decision back that nobody was told of: whoever asks next leads. The record stays, so that the round turns red at its
-- deadline if nobody asks, and with it by what the gate is held, until that is given up: who leads next does so, where nobody else has. ARGV: 3 identity  4 fence. Returns vacated, or kept: it is another's, finished, or was told since.
local record = pick('i', 'f', 'c', 'm')
if record.i ~= ARGV[3] or record.f ~= ARGV[4] or record.c or record.m then return { 'kept' } end
redis.call('HSET', RECORD, 'i', '', 't', 0, 'x', 0)
redis.call('HDEL', RECORD, 'L')
return { 'vacated' }
