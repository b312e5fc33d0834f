-- What the steps of schedules share. Prepended to each of them.
--
-- KEYS: 1 names (sorted set, by name)  2 wakes (sorted set, by when a schedule wants to be ticked); one Cluster slot, in
-- which each schedule's hash is too: ARGV[1] is what its key begins with. Fields of the hash:
--   r revision  s what it is asked to do (JSON)  t how far it has come (JSON)
-- Members of both sets are "<system> <name>", escaped; the blank sorts a system before those that it is the begin of.

local PREFIX = ARGV[1]

local function nowMs()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
