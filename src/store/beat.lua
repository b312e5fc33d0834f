-- A sign that the store keeps what it acknowledges: each process counts on, and finds what it had counted before.
--
-- It also looks whether anything is to be done in the store: one question in place of a dozen.
--
-- KEYS: 1 mark (hash: id, which it is; beat, counted on by all; p:<process> -> "beat ms", the last of each process); from 2 on what may want something done
-- ARGV: 1 process  2 the id that it knows ('' = none yet)  3 the last beat that it was told  4 an id for a mark that is new; then of each
--   other key when it wants something (see wants.ts) and than what
-- Returns what was lost ('' = nothing), id, beat, now, when what is left of this process' beats was written (0 = unknown), and 1 if
-- something is to be done.
--
-- It counts, because a clock may be set back. A mark that has lost something gets another id, so that every process hears of
-- it, also who had counted nothing that is missing.

-- A process that was killed leaves its field; one so far behind that it is taken to be dead has lost nothing by that.
local LEFT_BEHIND = 100000

local mark, own, known, told = KEYS[1], 'p:' .. ARGV[1], ARGV[2], tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local id = redis.call('HGET', mark, 'id')
local kept, keptAt = string.match(redis.call('HGET', mark, own) or '', '^(%d+) (%d+)$')
-- First, because it is refused where memory is full.
local beat = redis.call('HINCRBY', mark, 'beat', 1)

local loss = ''
if known ~= '' then
  if not id then
    loss = 'emptied'
  elseif id ~= known then
    loss = 'another'
  elseif tonumber(kept or 0) < told and beat - told < LEFT_BEHIND then
    loss = 'setBack'
  end
elseif id then
  local fields = redis.call('HGETALL', mark)
  for index = 1, #fields, 2 do
    local last = string.match(fields[index], '^p:') and tonumber(string.match(fields[index + 1], '^%d+'))
    if last and beat - last >= LEFT_BEHIND then redis.call('HDEL', mark, fields[index]) end
  end
end
if not id or loss == 'setBack' then
  id = ARGV[4]
  redis.call('HSET', mark, 'id', id)
end
redis.call('HSET', mark, own, string.format('%.0f %.0f', beat, now))

local function isWanted(key, when, than)
  if when == 'any' then return redis.call('EXISTS', key) == 1 end
  if when == 'more' then return redis.call('ZCARD', key) > than end
  if when == 'others' then
    for _, member in ipairs(redis.call('ZRANGE', key, 0, than)) do
      if string.sub(member, 1, 1) ~= '~' then return true end
    end
    return false
  end
  if when == 'by' then return #redis.call('ZRANGEBYSCORE', key, '-inf', now + than, 'LIMIT', 0, 1) > 0 end
  return #redis.call('ZRANGEBYSCORE', key, now - than, '+inf', 'LIMIT', 0, 1) > 0
end

local wanted = 0
for index = 2, #KEYS do
  if isWanted(KEYS[index], ARGV[2 * index + 1], tonumber(ARGV[2 * index + 2])) then
    wanted = 1
    break
  end
end
return { loss, id, beat, now, tonumber(keptAt or 0), wanted }
