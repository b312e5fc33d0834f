-- Notes that an attempt has failed which is not the last: the queue makes another. ARGV: 3 fence  4 why
local record = pick('f', 'c')
if record.f == ARGV[3] and not record.c then note({ k = 'x', t = nowMs(), f = record.f, r = cut(ARGV[4]) }) end
return { 'noted' }
