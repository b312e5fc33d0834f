-- Takes a job out of its queue, wherever it is there, unless a worker has it: one of a later submission of its round has the same id, and
-- this step may reach Redis late, and twice. As BullMQ's own removal, but of one without parent or children.
-- KEYS: 1 job  2 its lock  3 its log  4 completed  5 failed  6 delayed  7 prioritized  8 wait  9 paused  10 active  11 events
-- ARGV: 1 the job's id  2 when the submission was made that it has to be of
local MOST_EVENTS = 10000
local STATES = { [4] = 'completed', [5] = 'failed', [6] = 'delayed', [7] = 'prioritized', [8] = 'wait', [9] = 'paused', [10] = 'active' }

local function takeOut()
  for index = 4, 10 do
    local command = index < 8 and { 'ZREM', KEYS[index], ARGV[1] } or { 'LREM', KEYS[index], 1, ARGV[1] }
    if redis.call(unpack(command)) == 1 then return STATES[index] end
  end
  return 'unknown'
end

if redis.call('HGET', KEYS[1], 'timestamp') ~= ARGV[2] or redis.call('EXISTS', KEYS[2]) == 1 then return { 0 } end
local from = takeOut()
redis.call('DEL', KEYS[1], KEYS[3])
redis.call('XADD', KEYS[11], 'MAXLEN', '~', MOST_EVENTS, '*', 'event', 'removed', 'jobId', ARGV[1], 'prev', from)
return { 1 }
