-- The leader's report that it gave up.
return settle('f')
