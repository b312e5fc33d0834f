-- Around a script of BullMQ that hands out a job, and may have ended another before, here move(): the record completes the one and starts
-- the other in the same step. Both or neither, where the record has it that the round is not this job's to complete.
-- ARGV behind BullMQ's own, of which there are OWN: 1 address of the worker  2 value of the lock behind which it starts
-- and of a job that is completed 3 its fence  4 its result  5 value of its lock
-- Returns BullMQ's answer, the answer of the completion, and of the start.
local address, value, fence = ARGV[OWN + 1], ARGV[OWN + 2], ARGV[OWN + 3]
local completed = false
if fence then
  completed = completeOf(ARGV[1], address, fence, ARGV[OWN + 4], ARGV[OWN + 5])
  if completed[1] == 'refused' then return { false, completed } end
end
local moved = move()
local job = type(moved) == 'table' and moved[1]
if type(job) ~= 'table' then return { moved, completed } end
local ended, options = 0, nil
for index = 1, #job, 2 do
  local name = job[index]
  if name == 'opts' then options = job[index + 1] end
  if name == 'atm' then ended = tonumber(job[index + 1]) end
  -- BullMQ fails it without a look.
  if name == 'defa' then return { moved, completed } end
end
local madeFor
if options and not string.find(options, '{', 2, true) then
  -- As in nearly all: to parse it takes as long as three commands.
  madeFor = string.match(options, '"submittedAt":(%d+)[,}]')
else
  local isJson, parsed = pcall(cjson.decode, options)
  if isJson and type(parsed) == 'table' and type(parsed.submittedAt) == 'number' then
    madeFor = string.format('%.0f', parsed.submittedAt)
  end
end
return { moved, completed, startOf(moved[2], address, ended, madeFor or '', value) }
