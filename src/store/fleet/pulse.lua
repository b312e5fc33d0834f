-- Says that instances live. ARGV: 1 lease ms  2 an epoch for a count that is new  then of each instance: id, facts ('' = as
-- they are), stats ('' = not due), the revision of its orders that it knows.
-- Returns now, the revision of all settings, then of each: 1 if its facts are wanted, revision and tasks where they differ from what it knows ('' = they do not).
local now, lease = nowMs(), tonumber(ARGV[1])
touch(now)
redis.call('HSETNX', COUNTS, 'epoch', ARGV[2])
local reply = { now, tonumber(redis.call('HGET', COUNTS, 'crev') or 0) }
for index = 3, #ARGV, 4 do
  local id, facts, stats, known = ARGV[index], ARGV[index + 1], ARGV[index + 2], tonumber(ARGV[index + 3])
  local row = rowOf(id)
  if not row and facts == '' then
    reply[#reply + 1] = { 1, 0, '' }
  else
    -- One that has said that it ends, or was seen to die, does not come back: this was on its way before.
    if not row or row.ending == '-' or row.ending == 'lost' then
      local isNew = not row or row.ending == 'lost' or (facts ~= '' and facts ~= row.facts)
      if isNew then
        if row then redis.call('ZREM', ENDED, id) end
        change(id, {
          started = row and row.started or whole(now), ending = '-', endedAt = '0', stuck = row and row.stuck or '0',
          facts = facts ~= '' and facts or row.facts,
        })
      end
      redis.call('ZADD', LEASES, now + lease, id)
      if stats ~= '' then redis.call('HSET', STATS, id, stats) end
    end
    local wanted = redis.call('HGET', WANTED, id)
    local revision = wanted and tonumber(string.match(wanted, '^%d+')) or 0
    if revision == known then
      reply[#reply + 1] = { 0, 0, '' }
    else
      reply[#reply + 1] = { 0, revision, wanted and string.match(wanted, '^%d+ (.*)$') or '[]' }
    end
  end
end
return reply
