-- The leader's report that the work is done.
return answer(settle('c'))
