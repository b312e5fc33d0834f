-- Keeps an expectation. ARGV: 2 watch  3 its name in the index  4 expectation (JSON)  5 how long counts are needed (0 = none)
local now, before = nowMs(), redis.call('HGET', KEYS[1], ARGV[2])
local record = before and cjson.decode(before)
if record and record.expectation == ARGV[4] then return { 'unchanged', now, before } end
local kept = { expectation = ARGV[4], createdAtMs = record and record.createdAtMs or now, updatedAtMs = now }
local text = cjson.encode(kept)
redis.call('HSET', KEYS[1], ARGV[2], text)
redis.call('ZADD', KEYS[2], 0, ARGV[3])
if ARGV[5] == '0' then redis.call('HDEL', KEYS[12], ARGV[2]) else redis.call('HSET', KEYS[12], ARGV[2], ARGV[5]) end
begin(ARGV[2], now)
return { record and 'replaced' or 'created', now, text }
