-- Opens a round again that has failed or is overdue: whoever asks next leads, or its job is made anew. How it had ended is kept.
-- ARGV: 3 when the submission was made that was seen ('' = none)  4 its data and options (JSON, '' = not known)
-- 5 deadline ms where the submission set none  6 who asks for it  7 why ('' = not said)  8 identity of whoever asks ('' = none)
-- 9 fence that the round had when it was asked for ('' = none)
-- Returns opened; completed, running or jobGone where it is not; or another: there is another submission than the one that was seen.
local MOST_ENDS = 10

local now, record = nowMs(), load()
if not record then return { 'another' } end
local ends = record.z and cjson.decode(record.z) or {}
-- A call that is sent again, because its answer was lost, has opened it.
local isAgain = ARGV[8] ~= '' and ends[1] and ends[1].i == ARGV[8]
-- By this very call, whatever has become of it since: it may have failed again.
if isAgain and (record.f or '') ~= ARGV[9] and record.c ~= 'c' then return answer('opened', now) end
if (record.s or '') ~= ARGV[3] then return { 'another' } end
if record.c == 'c' then return answer('completed', now) end
local terms = record.o and cjson.decode(record.o) or {}
local deadlineAt = record.l and record.e + record.d or record.d and record.s + record.d
  or terms.deadlineMs and record.s + terms.deadlineMs
if not record.c and not (deadlineAt and now >= deadlineAt) then
  return answer(isAgain and 'opened' or 'running', now)
end
local job = record.p or record.k or ARGV[4]
if record.q and job == '' then return answer('jobGone', now) end

table.insert(ends, 1, {
  o = record.c or 'o', l = record.l, f = record.f, b = record.b, a = record.c and record.e + record.a or deadlineAt,
  r = record.r and cut(record.r), t = now, w = ARGV[6], y = ARGV[7] ~= '' and cut(ARGV[7]) or nil,
  i = ARGV[8] ~= '' and ARGV[8] or nil,
})
while #ends > MOST_ENDS do table.remove(ends) end

-- First, because it is refused where memory is full. It is nobody's: what shows it, or a lower one, comes from before.
local fence = redis.call('INCR', FENCE)
-- Of one that was opened before it is the time of that.
if record.q and not record.u then note({ k = 'q', t = record.s, w = record.q }) end
noteLead(record)
-- By what the gate is held stays, until who leads next has given that up.
redis.call('HDEL', RECORD, 'm', 'c', 'b', 'w', 'a', 'r', 'v', 'y', 'k', 'L')
redis.call(
  'HSET', RECORD, 'l', record.l or '', 'i', '', 'f', fence, 'e', now, 'd', terms.deadlineMs or ARGV[5], 't', 0, 'x', 0,
  'u', fence, 'z', cjson.encode(ends)
)
if record.i then noteFormer(record.i) end
keepRecord(record.o)
redis.call('ZREM', OVERDUE, ROUND)
if record.q then
  -- Another time than before: a job is run only for the submission that it was made of.
  redis.call('HSET', RECORD, 'n', 0, 's', math.max(now, record.s + 1), 'p', job)
  redis.call('ZADD', OUTBOX, now, ROUND .. '~s')
else
  list(now, fence)
end
redis.call('ZADD', DEADLINES, now + (terms.deadlineMs or ARGV[5]), ROUND)
if not record.q or terms.deadlineMs then noteLed(now) end
return answer('opened', now)
