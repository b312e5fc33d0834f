-- What the steps of schedules share. Prepended to each of them.
--
-- KEYS: 1 names (sorted set, by name)  2 wakes (sorted set, by when a schedule wants to be ticked); one Cluster slot, in
-- which each schedule is too: ARGV[1] is what its key begins with. A schedule is three lines: its revision, what it is asked
-- to do and how far it has come, both JSON. As a hash of three fields it would take half as much again.
--
-- Members of both sets are "<system> <name>", escaped; the blank sorts a system before those that it is the begin of.

local PREFIX = ARGV[1]

local function nowMs()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function revisionOf(key)
  return string.match(redis.call('GETRANGE', key, 0, 20), '^%d+') or '0'
end
