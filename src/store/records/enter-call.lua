-- Notes that jobs of a worker, each in a slot of it, wait for a call to that worker; unless all its slots would wait then. What is noted
-- twice counts once.
-- KEYS: 1 who waits ("round fence call"), by when that ends. ARGV: 1 call  2 slots  3 for how long, in ms  4… jobs ("round fence")
-- Returns what had been noted, where it was refused; else nothing.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local noted, jobs, count = redis.call('ZRANGE', KEYS[1], 0, -1), {}, 0
local function add(job)
  if not jobs[job] then count = count + 1 end
  jobs[job] = true
end
for _, wait in ipairs(noted) do add(string.match(wait, '^%S+ %S+')) end
for index = 4, #ARGV do add(ARGV[index]) end
if count >= tonumber(ARGV[2]) then return { 'refused', unpack(noted) } end
for index = 4, #ARGV do redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[index] .. ' ' .. ARGV[1]) end
redis.call('PEXPIRE', KEYS[1], math.max(tonumber(ARGV[3]), redis.call('PTTL', KEYS[1])))
return { 'entered' }
