-- What instances print, for those of which somebody wants to see it. Prepended to each step.
--
-- KEYS: 1 watched (instance -> until when somebody wants to see its log)  2 grown (instance -> number of the last entry of its log)
--   3 count (hash: seq, of entries of all logs; epoch, differs where seq was lost)  4 heard (instance -> when its supervisor had sent all of it)
--   5 where a step is about one: its log, a stream. Each entry's id is its number; n is the number of its first line, c how many lines there
--   are, d how many before them were never sent, p the entry before, b how many bytes were in all entries before, s how many are in this one,
--   t when it came, l the lines as JSON.

local WATCHED, GROWN, COUNT, HEARD, LOG = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local MOST_HEARD_MS = 60000

local function nowMs()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- %.14g, in which numbers become text otherwise, is not for all whole numbers.
local function whole(number)
  return string.format('%.0f', number)
end
