-- Ends the round as failed, whoever leads it, unless it has ended.
-- ARGV: as for complete, 5 being ours to say; and 9 when the submission was made that was seen ('' = none)  10 its data and options
-- (JSON, '' = not known)
-- Returns cancelled, alreadyCancelled or ended; or another: there is another submission than the one that was seen.
local record = pick('l', 'i', 'f', 'c', 'w', 's', 'p')
if (record.s or '') ~= ARGV[9] or not (record.l or record.s) then return { 'another' } end
if record.c then return answer(record.w == ARGV[4] and 'alreadyCancelled' or 'ended', nowMs()) end
-- Whoever cancels has the right of the leader, where there is one.
ARGV[5] = record.l and record.i ~= '' and record.f or ''
local _, now = settle('f')
redis.call('HSET', RECORD, 'w', ARGV[4])
local job = record.p or ARGV[10]
if job ~= '' then redis.call('HSET', RECORD, 'k', job) end
return answer('cancelled', now)
