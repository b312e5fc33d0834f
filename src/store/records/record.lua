-- The record of a round and what every step does with it. Prepended to each step, so that these rules exist once; they
-- are those of core/election.ts and core/completion.ts, and one contract suite holds both to the same answers.
--
-- KEYS: 1 record, and for the steps that touch more than it 2 fence  3 history  4 outbox  5 overdue  6 deadlines: all of a
-- system's keys share {system}, and so a slot. While a slot moves to another node, Redis sends a script there by its KEYS alone: a key that
-- is not named would be taken to be there, and not be.
-- Steps that a gate on the same server is passed with also 7 gate: the lock as redlock has it.
-- Every step takes ARGV: 1 round (escaped)  2 retention ms (0 = for ever), then its own.
--
-- Fields are one letter and times relative to the election, because a hash of short fields is stored compactly:
--   l leader  L what it calls itself  i identity ('' = its decision was taken back)  f fence  e elected at (ms)  d deadline (ms after e; until a worker starts it, after s)  t lease (ms)  x lease end (ms after e)
--   g gate value, of a job that was taken over HTTP its hold, of one behind a gate elsewhere = and that  m 1 once the leader has asked again  c outcome (c completed, f failed)  b completed by (absent: the leader's address; `:port` where the host is
--   the same)  w completer's identity (absent: the leader)  a completed (ms after e)  r detail
-- and of a submitted round, which has these before it has a leader:
--   q queue  s submitted at (ms)  h digest of the data  o how it is run (JSON)  n starts  v of them given back
--   y not to be started before (ms)  M how often the same was submitted again
--   p data and options (JSON), until its queue has them  k the same, of a job that was cancelled
-- and of one that was opened again:
--   u fence of that  z its earlier ends (JSON), newest first; see retry.lua
-- and of one that has had leaders over HTTP with a token before:
--   j identity of the last  J those of the ones before that, newest first; see noteFormer()
-- and of one that did not go straight to its end:
--   E events (JSON), as they were noted; see note()

local ROUND, RETENTION, RECORD, FENCE, HISTORY, OUTBOX, OVERDUE, DEADLINES
local HOUR_MS = 3600000
local MOST_REASON_BYTES, MOST_EVENTS, MOST_REFUSALS, MOST_FORMER = 500, 30, 5, 10

-- A script that takes several steps says so before each.
local function isStepOf(keys, own)
  ROUND, RETENTION = own[1], tonumber(own[2])
  RECORD = keys[1]
  FENCE, HISTORY, OUTBOX, OVERDUE, DEADLINES = keys[2], keys[3], keys[4], keys[5], keys[6]
end
isStepOf(KEYS, ARGV)

-- Of a script all that it does is done at one time.
local clock
local function nowMs()
  if clock then return clock end
  local time = redis.call('TIME')
  clock = time[1] * 1000 + math.floor(time[2] / 1000)
  return clock
end

local function load()
  local flat = redis.call('HGETALL', RECORD)
  if #flat == 0 then return nil end
  local record = {}
  for index = 1, #flat, 2 do record[flat[index]] = flat[index + 1] end
  return record
end

-- The named fields alone, where all of them are not needed: half the time of load.
local function pick(...)
  local names, record = { ... }, {}
  for index, value in ipairs(redis.call('HMGET', RECORD, ...)) do record[names[index]] = value or nil end
  return record
end

local function keep(key)
  if RETENTION > 0 then redis.call('PEXPIRE', key, RETENTION) end
end

-- At most so many bytes, and no half of a character.
local function cut(text)
  if #text <= MOST_REASON_BYTES then return text end
  local last = MOST_REASON_BYTES
  while last > 0 and string.byte(text, last + 1) >= 128 and string.byte(text, last + 1) < 192 do last = last - 1 end
  return string.sub(text, 1, last)
end

-- Notes what the other fields will not say any more: k what (q submitted, l led, s started, x attempt failed, b start given back, r report
-- refused)  t when (ms)  w who  f fence  r why, of a refusal the outcome. The newest are kept, and the first refusals. Where memory is full, none.
local function note(event)
  local noted = redis.call('HGET', RECORD, 'E')
  local events, refusals = noted and cjson.decode(noted) or {}, 0
  for _, earlier in ipairs(events) do if earlier.k == 'r' then refusals = refusals + 1 end end
  if event.k == 'r' and refusals >= MOST_REFUSALS then return end
  events[#events + 1] = event
  while #events > MOST_EVENTS do table.remove(events, 1) end
  redis.pcall('HSET', RECORD, 'E', cjson.encode(events))
end

-- Notes who has led, where another does now.
local function noteLead(record)
  if not record.l or record.i == '' then return end
  local isJob = record.n and tonumber(record.n) > 0
  note({ k = isJob and 's' or 'l', t = record.e, w = record.L or record.l, f = record.f })
end

-- Notes that there is a later leader than this one: where the round is opened again, what it reports by its token is from before.
-- Without a token nobody can show that it is the same again.
local function noteFormer(identity)
  if not string.find(identity, '^[^~#]') then return end
  local noted, former = pick('j', 'J'), {}
  for earlier in string.gmatch((noted.j or '') .. ' ' .. (noted.J or ''), '%S+') do
    if earlier ~= identity and #former < MOST_FORMER then former[#former + 1] = earlier end
  end
  redis.call('HSET', RECORD, 'j', identity)
  if #former > 0 then redis.call('HSET', RECORD, 'J', table.concat(former, ' ')) end
end

-- The record, for as long as a call says, which is in how it is run.
local function keepRecord(terms)
  local callMs = tonumber(terms and string.match(terms, '"keptMs":(%d+)'))
  if callMs and (RETENTION == 0 or callMs < RETENTION) then
    redis.call('PEXPIRE', RECORD, callMs)
  else
    keep(RECORD)
  end
end

local function isCall(terms)
  return terms and string.find(terms, '"call":', 1, true)
end

local function trim(index, now)
  if RETENTION > 0 then redis.call('ZREMRANGEBYSCORE', index, '-inf', now - RETENTION) end
  keep(index)
end

-- Enters the round in the history as it is under this fence, 0 as it is submitted. An entry counts if its fence is that of the
-- leader over HTTP, or 0 if there is none such. A stream, because its entries take a quarter of the memory that a sorted set's would.
local function list(now, fence)
  local function add(command, id)
    if RETENTION == 0 then return command('XADD', HISTORY, id, 'r', ROUND, 'f', fence) end
    return command('XADD', HISTORY, 'MINID', '~', now - RETENTION, id, 'r', ROUND, 'f', fence)
  end
  -- At the record's own time, so that both give one order. Where the clock has gone back, or Redis is older than 7, as the
  -- stream has it, whose time never goes back.
  local added = add(redis.pcall, now .. '-*')
  if type(added) == 'table' and added.err then add(redis.call, '*') end
  -- To look costs less than to write, and an hour more does no harm.
  if RETENTION > 0 and redis.call('PTTL', HISTORY) < RETENTION then
    redis.call('PEXPIRE', HISTORY, RETENTION + HOUR_MS)
  end
end

-- Makes who asks leader under a new fence, in place of another where it replaces one. INCR comes first: where memory is full
-- it is refused before anything has changed. Each command here is a good part of what an election costs Redis.
-- `terms` are those of the round's submission, where that may be a call.
local function lead(now, who, replaces, terms)
  local fence = redis.call('INCR', FENCE)
  if replaces then redis.call('HDEL', RECORD, 't', 'x', 'g', 'm', 'n', 'v', 'L') end
  redis.call('HSET', RECORD, 'l', who.address, 'i', who.identity, 'f', fence, 'e', now, 'd', who.deadlineMs)
  if who.leaseMs > 0 then redis.call('HSET', RECORD, 't', who.leaseMs, 'x', who.leaseMs) end
  if who.gate ~= '' then redis.call('HSET', RECORD, 'g', who.gate) end
  if who.name and who.name ~= '' then redis.call('HSET', RECORD, 'L', who.name) end
  keepRecord(terms)
  if not isCall(terms) then list(now, fence) end
  return fence
end

-- A renewal never moves the end of a lease in: others have been told that it lasts until then.
local function extend(record, now, leaseMs)
  redis.call('HSET', RECORD, 't', leaseMs, 'x', math.max(tonumber(record.x), now - record.e + leaseMs))
  keep(RECORD)
end

-- Notes that a leader was told again that it leads: the decision is not to be taken back any more.
local function tell(record)
  if not record.m then redis.call('HSET', RECORD, 'm', 1) end
end

-- Notes for the board that a round is overdue no more, in place of that it is.
local function noteLed(now)
  redis.call('ZREM', OUTBOX, ROUND .. '~o')
  redis.call('ZADD', OUTBOX, now, ROUND)
end

local function provesLeadership(record, identity, fence)
  if record.i == '' then return false end
  if fence ~= '' then return fence == record.f end
  return identity == record.i
end

local function answer(verdict, now, ...)
  return { verdict, now, redis.call('HGETALL', RECORD), ... }
end

-- The address, without its host where that is the leader's.
local function besides(leader, address)
  local host, port = string.match(address, '^(.*)(:%d+)$')
  if host and string.match(leader, '^(.*):%d+$') == host then return port end
  return address
end

-- True if the end of the round shows in the queue `rounds`: of all but calls, and those that were submitted without a deadline.
local function hasRoundJob(record)
  if isCall(record.o) then return false end
  return not record.n or record.o and string.find(record.o, '"deadlineMs"', 1, true)
end

-- True if the report comes from before the round was opened again.
local function isFromBefore(record, identity, fence)
  if not record.u then return false end
  if fence ~= '' then return tonumber(fence) <= tonumber(record.u) end
  if identity == record.j then return true end
  local former = redis.call('HGET', RECORD, 'J') or ''
  return string.find(' ' .. former .. ' ', ' ' .. identity .. ' ', 1, true) ~= nil
end

local function judgeEnd(outcome)
  local now, record = nowMs(), pick('l', 'i', 'f', 'e', 'd', 'c', 'w', 'n', 'o', 'u', 'j')
  local address, identity, fence = ARGV[3], ARGV[4], ARGV[5]
  if not record.l or record.i == '' then
    if isFromBefore(record, identity, fence) then return 'refused', now end
    local who = { address = address, identity = identity, deadlineMs = ARGV[7], leaseMs = 0, gate = '' }
    lead(now, who, record.l, record.o)
    record = pick('l', 'i', 'f', 'e', 'o')
    fence = ''
  end

  local proven = provesLeadership(record, identity, fence)
  if record.c then
    local sameReporter = proven
    if record.w then sameReporter = identity == record.w end
    if sameReporter and record.c == outcome then return 'alreadyRecorded', now end
    return 'refused', now
  end
  local anybodys = string.sub(record.i, 1, 1) == '~' and fence == ''
  if not proven and (not anybodys or isFromBefore(record, identity, fence)) then return 'refused', now end

  -- First, because it is never refused, and behind a first write nothing is: so an end is recorded also where memory is full.
  redis.call('ZREM', DEADLINES, ROUND)
  redis.call('HSET', RECORD, 'c', outcome, 'a', now - record.e)
  if address ~= record.l then redis.call('HSET', RECORD, 'b', besides(record.l, address)) end
  if not proven then redis.call('HSET', RECORD, 'w', identity) end
  if ARGV[6] ~= '' then redis.call('HSET', RECORD, 'r', ARGV[6]) end
  keepRecord(record.o)
  -- A job's first start, within its time and with no deadline of its submission: it cannot have been overdue.
  if record.n ~= '1' or record.o or now >= record.e + record.d then redis.call('ZREM', OVERDUE, ROUND) end
  if hasRoundJob(record) then redis.call('ZADD', OUTBOX, now, ROUND .. '~') end
  redis.call('PUBLISH', ARGV[8], '')
  -- Who has made a call is told its end with it, and need not look.
  local ear = record.o and string.match(record.o, '"tell":"([^"]+)"')
  if ear then redis.call('PUBLISH', ear, cjson.encode({ ARGV[8], now, redis.call('HGETALL', RECORD) })) end
  return 'recorded', now
end

-- Records the end of the round. Returns verdict and now.
-- ARGV: 3 address  4 identity  5 fence ('' = none)  6 detail  7 deadline ms  8 channel
local function settle(outcome)
  local verdict, now = judgeEnd(outcome)
  if verdict == 'refused' then
    note({ k = 'r', t = now, w = ARGV[3], f = ARGV[5] ~= '' and ARGV[5] or nil, r = outcome })
  end
  return verdict, now
end
