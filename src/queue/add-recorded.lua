-- Around a script of BullMQ that adds a job, here add(), and the step that records a submission, record(): where the job's options
-- bring keys and arguments of that step it comes first, and the job is made of what it has recorded. Both or neither, and the outbox
-- has nothing to be told. Returns what the step answers.
-- ARGV, as BullMQ packs them: 1 the job  2 its data  3 its options
local options = cmsgpack.unpack(ARGV[3])
local submission = options.submission
if not submission then return add() end
local answer = record(submission.keys, submission.own)
local job = cmsgpack.unpack(ARGV[1])
-- One of an earlier submission, whose record is gone, is in the way: the queue is told as by a sweeper.
if answer[1] ~= 'submitted' or redis.call('EXISTS', job[1] .. job[2]) == 1 then return answer end
options.submission, options.submittedAt, options.timestamp = nil, answer[2], answer[2]
job[4] = answer[2]
ARGV[1], ARGV[3] = cmsgpack.pack(job), cmsgpack.pack(options)
add()
redis.call('HDEL', submission.keys[1], 'p')
redis.call('ZREM', submission.keys[4], submission.own[1] .. '~s')
local fields = {}
for index = 1, #answer[3], 2 do
  if answer[3][index] ~= 'p' then
    fields[#fields + 1] = answer[3][index]
    fields[#fields + 1] = answer[3][index + 1]
  end
end
answer[3] = fields
return answer
