-- Which of the schedules have no wake: no Job Scheduler, or one whose job is gone. KEYS: 1 BullMQ's schedulers by when they
-- ring; each one's job is under that key too, by scheduler and ms. ARGV: their ids
local missing = {}
for _, id in ipairs(ARGV) do
  local ringsAt = redis.call('ZSCORE', KEYS[1], id)
  if not ringsAt or redis.call('EXISTS', KEYS[1] .. ':' .. id .. ':' .. ringsAt) == 0 then
    missing[#missing + 1] = id
  end
end
return missing
