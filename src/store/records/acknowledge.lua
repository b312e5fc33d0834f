-- Takes out of an outbox what the queues were told of rounds as they were seen, and nothing that was noted since: a round may have been
-- opened again meanwhile, and this step may reach Redis late, and twice.
-- KEYS: 1 outbox, then the record of each submission that was told. ARGV: for each of those 2: its entry, when the submission was made
-- that was seen ('' = none); then for each other entry 2: the entry, when its round was seen
for index = 1, #ARGV, 2 do
  local entry, seen, record = ARGV[index], ARGV[index + 1], KEYS[(index + 3) / 2]
  if record then
    if (redis.call('HGET', record, 's') or '') == seen then
      redis.call('ZREM', KEYS[1], entry)
      -- The queue has the data now; the record need not keep it.
      redis.call('HDEL', record, 'p')
    end
  else
    local notedAt = redis.call('ZSCORE', KEYS[1], entry)
    if notedAt and tonumber(notedAt) <= tonumber(seen) then redis.call('ZREM', KEYS[1], entry) end
  end
end
return {}
