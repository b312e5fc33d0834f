-- Steps of the record as functions, for a script that takes them along: on the one server that keeps queue, record and gate. What all
-- of them share is told as locals before: IDENTITY, RETENTION_MS, DEADLINE_MS, MOST_DEATHS, GATE_PREFIX, GATE_TTL_MS, CHANNEL_PREFIX;
-- and general(), which makes a function of all that start.lua and finish.lua say. To make that takes as long as ten commands, so the usual
-- case, a job that is started once and completed by who started it, is said here again, and whatever is unusual is left to them. Numbers are
-- texts: Redis would print each.
local RETENTION = tonumber(RETENTION_MS)

local clock, clockText
local function nowMs()
  if clock then return clock, clockText end
  local time = redis.call('TIME')
  clock = time[1] * 1000 + math.floor(time[2] / 1000)
  clockText = string.format('%d', clock)
  return clock, clockText
end

-- What the keys of its system begin with, and the round, of the job with this id. One whose names are escaped, or that is no round's, is left
-- to who can read it.
local function partsOf(id)
  local system, round = string.match(id, '^([%w_.-]+)~([%w_.-]+)$')
  if not system or #system > 128 or #round > 128 then return nil end
  if string.find(system, '^%.%.?$') or string.find(round, '^%.%.?$') then return nil end
  return 'gone:{' .. system .. '}:', round
end

local every
local function take(step, all, round, id, own)
  every = every or general()
  own[1] = round
  return every(step, {
    all .. 'round:' .. round, all .. 'fence', all .. 'history', all .. 'outbox', all .. 'overdue', all .. 'deadlines', GATE_PREFIX .. id,
  }, own)
end

-- The submission of a moment ago has said how long the record is kept, but for a thousandth of that.
local function keep(key, now, submittedAt)
  if RETENTION > 0 and now - submittedAt >= RETENTION / 1000 then redis.call('PEXPIRE', key, RETENTION_MS) end
end

-- Starts the round of a job whose attempts have ended so often, made of the submission of that time ('' = not known), behind a lock of
-- this value. Returns what the step answers, or nil where it was not taken: as one that may be started only once, because where this answer
-- is lost the job is handed out again as if who ran it had died. A step of its own can be sent again.
function startOf(id, address, ended, madeFor, value)
  local all, round = partsOf(id)
  if not all then return nil end
  local key = all .. 'round:' .. round
  local found = redis.call('HMGET', key, 's', 'l', 'o', 'y')
  if found[3] and string.find(found[3], '"ifExecutorDies":"fail"', 1, true) then return nil end
  local isPlain = found[1] and found[1] == madeFor and not (found[2] or found[3] or found[4])
  if not isPlain or not redis.call('SET', GATE_PREFIX .. id, value, 'NX', 'PX', GATE_TTL_MS) then
    return take('start', all, round, id, {
      '', RETENTION_MS, address, IDENTITY, DEADLINE_MS, ended + 1 + MOST_DEATHS, madeFor, '', value, GATE_TTL_MS,
    })
  end
  local now, nowText = nowMs()
  local fence = redis.call('INCR', all .. 'fence')
  redis.call(
    'HSET', key, 'l', address, 'i', IDENTITY, 'f', string.format('%d', fence), 'e', nowText, 'd', DEADLINE_MS, 'n', '1'
  )
  keep(key, now, madeFor)
  return { 'started', now, fence, '', 1, '' }
end

-- Completes the round of a job that was started under this fence, and gives the lock of that value up.
function completeOf(id, address, fence, result, value)
  local all, round = partsOf(id)
  local key = all .. 'round:' .. round
  -- Each field costs a look through all of them. Under this fence the leader is at this address, and has the deadline that it was given.
  local found = redis.call('HMGET', key, 'f', 'i', 'n', 'e', 'c', 'o', 's')
  local now = nowMs()
  local isPlain = found[1] == fence and found[2] == IDENTITY and found[3] == '1' and not (found[5] or found[6])
    and now < found[4] + DEADLINE_MS
  if not isPlain then
    return take('finish', all, round, id, {
      '', RETENTION_MS, address, IDENTITY, fence, result, DEADLINE_MS, CHANNEL_PREFIX .. id, 'c', value,
    })
  end
  local took = string.format('%d', now - found[4])
  -- First, for the reason that record.lua gives.
  redis.call('ZREM', all .. 'deadlines', round)
  if result == '' then redis.call('HSET', key, 'c', 'c', 'a', took)
  else redis.call('HSET', key, 'c', 'c', 'a', took, 'r', result) end
  keep(key, now, found[7] or 0)
  redis.call('PUBLISH', CHANNEL_PREFIX .. id, '')
  local gate = GATE_PREFIX .. id
  if redis.call('GET', gate) == value then redis.call('DEL', gate) end
  return { 'recorded', now }
end
