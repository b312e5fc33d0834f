-- The leader's report that the work is done.
return settle('c')
