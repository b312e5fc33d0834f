type Counts = Readonly<Record<string, number>>

const MAX_LABELS = 200

/** Of more queues than a metric should name, those with the most jobs, and all others in one: `other`. */
export function withinLabels(queues: Readonly<Record<string, Counts>>): Readonly<Record<string, Counts>> {
  const entries = Object.entries(queues)
  if (entries.length <= MAX_LABELS) return queues
  const sorted = entries.sort(([a, some], [b, more]) => sum(more) - sum(some) || (a < b ? -1 : 1))
  const other: Record<string, number> = {}
  for (const [, counts] of sorted.slice(MAX_LABELS - 1))
    for (const [state, count] of Object.entries(counts)) other[state] = (other[state] ?? 0) + count
  return { ...Object.fromEntries(sorted.slice(0, MAX_LABELS - 1)), other }
}

function sum(counts: Counts): number {
  return Object.values(counts).reduce((total, count) => total + count, 0)
}
