-- The record as it is now, on the clock that its times are of.
return answer('read', nowMs())
