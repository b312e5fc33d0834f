-- Takes a decision back that nobody was told of: whoever asks next leads. The record stays, so that the round turns red at its
-- deadline if nobody asks; and by what the gate is held stays in it, so that who leads next can give that up where nobody has.
-- ARGV: 3 identity  4 fence. Returns vacated, or kept: it is another's, finished, or was told since.
local record = pick('i', 'f', 'c', 'm')
if record.i ~= ARGV[3] or record.f ~= ARGV[4] or record.c or record.m then return { 'kept' } end
redis.call('HSET', RECORD, 'i', '', 't', 0, 'x', 0)
redis.call('HDEL', RECORD, 'L')
return { 'vacated' }
