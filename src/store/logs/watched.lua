-- A supervisor asks which logs somebody wants to see. ARGV: of each of its instances the id, and 1 if all that it has printed is sent.
-- Returns those.
local now, reply = nowMs(), {}
for index = 1, #ARGV, 2 do
  local id = ARGV[index]
  if tonumber(redis.call('ZSCORE', WATCHED, id) or 0) > now then
    reply[#reply + 1] = id
    if ARGV[index + 1] == '1' then redis.call('ZADD', HEARD, whole(now), id) end
  end
end
if #reply > 0 then
  redis.call('ZREMRANGEBYSCORE', HEARD, '-inf', whole(now - MOST_HEARD_MS))
  redis.call('PEXPIRE', HEARD, MOST_HEARD_MS)
end
return reply
