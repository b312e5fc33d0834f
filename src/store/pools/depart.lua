-- A supervisor takes no places any more. ARGV: 1 id
touch(nowMs())
if redis.call('HEXISTS', SUPERVISORS, ARGV[1]) == 1 then
  forget(ARGV[1])
  revise()
end
return {}
