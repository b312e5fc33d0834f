-- The leader's report that it gave up.
return answer(settle('f'))
