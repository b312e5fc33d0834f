-- Takes jobs out of a queue where older builds kept it, so that nobody there starts them any more, and notes each with where it stood
-- until it is moved. Those that somebody runs stay.
-- KEYS: 1 wait  2 paused  3 active  4 stalled  5 delayed  6 prioritized  7 completed  8 failed  9 moving
-- ARGV: 1 what the keys of jobs begin with  2 how many of each kind at once. Returns the notes: state, score, id
local most, notes = tonumber(ARGV[2]), {}

local function note(state, score, id)
  local text = state .. ' ' .. score .. ' ' .. id
  redis.call('RPUSH', KEYS[9], text)
  notes[#notes + 1] = text
end

-- In the hand of somebody who holds it no more: next of all, as it was before. However many others are run is before them in the list.
for _, id in ipairs(redis.call('LRANGE', KEYS[3], 0, -1)) do
  if #notes == most then break end
  if redis.call('EXISTS', ARGV[1] .. id .. ':lock') == 0 then
    redis.call('LREM', KEYS[3], 1, id)
    redis.call('SREM', KEYS[4], id)
    note('next', 0, id)
  end
end
-- The oldest is at the end, and is taken first.
for list = 1, 2 do
  for _ = 1, most do
    local id = redis.call('RPOP', KEYS[list])
    if not id then break end
    note('wait', 0, id)
  end
end
for at, state in pairs({ [5] = 'delayed', [6] = 'prioritized', [7] = 'completed', [8] = 'failed' }) do
  local found = redis.call('ZRANGE', KEYS[at], 0, most - 1, 'WITHSCORES')
  for index = 1, #found, 2 do
    redis.call('ZREM', KEYS[at], found[index])
    note(state, found[index + 1], found[index])
  end
end
return notes
