import type { MetricJson, MetricValue } from './siblings.ts'

/** What counts up, and so must never fall. */
const COUNTING: ReadonlySet<string> = new Set(['counter', 'histogram'])

/**
 * What is left of a process that has ended: its counts added to those of the ones before it. Without them a sum over processes
 * would fall, which whoever reads it takes for a start at zero.
 */
export function keepCounts(before: readonly MetricJson[], ended: readonly MetricJson[]): MetricJson[] {
  const kept = new Map(before.map((metric) => [metric.name, metric]))
  for (const metric of ended) {
    if (!COUNTING.has(metric.type)) continue
    const known = kept.get(metric.name)
    kept.set(metric.name, known ? { ...metric, values: added(known.values, metric.values) } : metric)
  }
  return [...kept.values()]
}

function added(some: readonly MetricValue[], more: readonly MetricValue[]): MetricValue[] {
  const sums = new Map(some.map((one) => [keyOf(one), one]))
  for (const one of more) {
    const key = keyOf(one)
    sums.set(key, { ...one, value: one.value + (sums.get(key)?.value ?? 0) })
  }
  return [...sums.values()]
}

function keyOf({ metricName = '', labels }: MetricValue): string {
  return JSON.stringify([metricName, Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1))])
}
