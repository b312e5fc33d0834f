-- Steps of the record as functions, for a script that takes them along: on the one server that keeps queue, record and gate. What all
-- of them share is told as locals before: IDENTITY, RETENTION_MS, DEADLINE_MS, MOST_DEATHS, GATE_PREFIX, GATE_TTL_MS, CHANNEL_PREFIX;
-- and the steps as start() and finish(), of the KEYS and ARGV that are locals, too.

-- Takes a step at the round of the job with this id. One whose names are escaped, or that is no round's, is left to who can read it.
local function take(step, id, own)
  local system, round = string.match(id, '^([%w_.-]+)~([%w_.-]+)$')
  if not system or #system > 128 or #round > 128 then return nil end
  if string.find(system, '^%.%.?$') or string.find(round, '^%.%.?$') then return nil end
  local all = 'gone:{' .. system .. '}:'
  own[1] = round
  KEYS, ARGV = {
    all .. 'round:' .. round, all .. 'fence', all .. 'history', all .. 'outbox', all .. 'overdue', all .. 'deadlines', GATE_PREFIX .. id,
  }, own
  isStepOf(KEYS, ARGV)
  return step()
end

-- Starts the round of a job whose attempts have ended so often, made of the submission of that time ('' = not known), behind a lock of
-- this value. Returns what the step answers, or nil where it was not taken.
function startOf(id, address, ended, madeFor, value)
  return take(start, id, {
    '', RETENTION_MS, address, IDENTITY, DEADLINE_MS, ended + 1 + MOST_DEATHS, madeFor, '', value, GATE_TTL_MS,
  })
end

-- Completes the round of a job that was started under this fence, and gives the lock of that value up.
function completeOf(id, address, fence, result, value)
  return take(finish, id, {
    '', RETENTION_MS, address, IDENTITY, fence, result, DEADLINE_MS, CHANNEL_PREFIX .. id, 'c', value,
  })
end
