-- Sets what is said of a worker or an instance. ARGV: 1 target ("worker mailer")  2 the revision's JSON without its number and
-- time, so `{"actor":...}`  3 how many revisions are kept  4 how many targets at most. Returns now, its revision or 0: too many targets.
local now = nowMs()
touch(now)
local past = redis.call('HGET', CONFIG, ARGV[1])
if not past and redis.call('HLEN', CONFIG) >= tonumber(ARGV[4]) then return { now, 0 } end
local revision = redis.call('HINCRBY', COUNTS, 'crev', 1)
-- A line each, newest first: JSON has no line breaks of its own.
local lines = { '{"revision":' .. whole(revision) .. ',"atMs":' .. whole(now) .. ',' .. string.sub(ARGV[2], 2) }
for line in string.gmatch(past or '', '[^\n]+') do
  if #lines < tonumber(ARGV[3]) then lines[#lines + 1] = line end
end
redis.call('HSET', CONFIG, ARGV[1], table.concat(lines, '\n'))
return { now, revision }
