-- Removes a job that has been moved from where older builds kept it. KEYS: 1 moving  2 job  3 its log. ARGV: 1 the note of it
if redis.call('LREM', KEYS[1], 1, ARGV[1]) == 0 then return 0 end
redis.call('DEL', KEYS[2], KEYS[3])
return 1
