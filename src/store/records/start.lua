-- A worker starts an attempt at the round's job. The leader is the job, so a later attempt is the same leader with a
-- higher fence. ARGV: 3 address  4 identity  5 deadline ms where the submission set none  6 most starts
-- 7 when the submission was made that the job is of ('' = not known)  8 by what its executor over HTTP holds it; or behind = what a
-- worker has passed a gate elsewhere by ('' = neither)
-- and where the gate is passed with it 9 value of the lock  10 its ttl ms
-- Starts that were given back do not count. Returns started, now, fence, how it is run (JSON), which counted start it is, and of a call
-- in how many ms it is given up; or why it is not started, now and the record.
local now, record = nowMs(), pick('l', 'i', 'f', 'c', 'n', 's', 'o', 'v', 'y', 'g')
local GATE = KEYS[7]
local starts, givenBack, mostStarts, deadlineMs = 0, tonumber(record.v or 0), tonumber(ARGV[6]), tonumber(ARGV[5])
local giveUpInMs
if record.o then
  local terms = cjson.decode(record.o)
  if terms.ifExecutorDies == 'fail' then mostStarts = 1 end
  if terms.call then giveUpInMs = record.s + terms.call.giveUpMs - now end
  if terms.deadlineMs then deadlineMs = math.max(1, record.s + terms.deadlineMs - now) end
end
if ARGV[7] ~= '' and record.s ~= ARGV[7] then return { 'another', now } end
if record.c then return answer('finished', now) end
if record.l then starts = tonumber(record.n or 0) end
if GATE and not redis.call('SET', GATE, ARGV[9], 'NX', 'PX', ARGV[10]) then
  -- Sent again by a client that has lost the answer.
  if record.i == ARGV[4] and redis.call('GET', GATE) == ARGV[9] then
    return { 'started', now, tonumber(record.f), record.o or '', starts - givenBack, giveUpInMs or '' }
  end
  return { 'held', now }
end
-- The same behind a gate elsewhere, or of whoever has taken this job from its queue: by another lease, too.
local function startMark(by) return (string.gsub(by, '^(%S+) %d+ ({"turn":%d+).*$', '%1 %2')) end
if ARGV[8] ~= '' and record.g and record.i == ARGV[4] and startMark(record.g) == startMark(ARGV[8]) then
  return { 'started', now, tonumber(record.f), record.o or '', starts - givenBack, giveUpInMs or '' }
end
local function notStarted(refusal)
  if GATE then redis.call('DEL', GATE) end
  return refusal
end
if giveUpInMs and giveUpInMs <= 0 then return notStarted({ 'late', now, record.f or 0 }) end
-- One that was taken back is anybody's.
if record.l and record.i ~= ARGV[4] and record.i ~= '' then return notStarted(answer('lost', now)) end
if starts - givenBack >= mostStarts then return notStarted(answer('spent', now)) end
if record.y and now < tonumber(record.y) then return notStarted({ 'early', now, record.y - now }) end
-- Before anything is changed, because it is refused where memory is full.
local fence = redis.call('INCR', FENCE)
if starts > 0 then
  local before = pick('e', 'L')
  noteLead({ l = record.l, i = record.i, f = record.f, n = record.n, e = before.e, L = before.L })
end
if record.i == '' then redis.call('HDEL', RECORD, 't', 'x', 'm', 'L') end
redis.call(
  'HSET', RECORD, 'l', ARGV[3], 'i', ARGV[4], 'f', fence, 'e', now, 'd', deadlineMs, 'n', starts + 1
)
if ARGV[8] ~= '' then redis.call('HSET', RECORD, 'g', ARGV[8]) elseif record.g then redis.call('HDEL', RECORD, 'g') end
-- The submission of a moment ago has said how long it is kept, but for a thousandth of that.
local isJustKept = record.s and not record.l and now - record.s < RETENTION / 1000
if not isJustKept or isCall(record.o) then keepRecord(record.o) end
-- The submission has listed the round, unless its record was lost.
if not record.s and not record.l then list(now, 0) end
return { 'started', now, fence, record.o or '', starts + 1 - givenBack, giveUpInMs or '' }
