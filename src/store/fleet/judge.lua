-- Marks an instance as stuck, or as taking jobs again. ARGV: 1 id  2 since when (0 = it is not)
local row = rowOf(ARGV[1])
if row and row.ending == '-' and row.stuck ~= ARGV[2] then
  row.stuck = ARGV[2]
  change(ARGV[1], row)
end
return { nowMs() }
