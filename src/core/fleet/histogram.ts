/** How many values fell into which bucket. Two are merged by adding them up, whoever has counted them. */
export type Histogram = ReadonlyMap<number, number>

/** Each bucket ends at 2^(1/4) of where it begins, so that a percentile is off by a tenth at most. */
const BUCKETS_A_DOUBLING = 4
/** What is shorter is in the first bucket; of what is longer than a day nobody asks by how much. */
const SHORTEST_MS = 0.01
const LONGEST_MS = 86_400_000

/** Counts one value, a time span. */
export function count(histogram: Map<number, number>, ms: number): void {
  const bucket = bucketOf(ms)
  histogram.set(bucket, (histogram.get(bucket) ?? 0) + 1)
}

function bucketOf(ms: number): number {
  const within = Math.min(Math.max(ms, SHORTEST_MS), LONGEST_MS)
  return Math.floor(Math.log2(within / SHORTEST_MS) * BUCKETS_A_DOUBLING)
}

function beginOf(bucket: number): number {
  return SHORTEST_MS * 2 ** (bucket / BUCKETS_A_DOUBLING)
}

export function mergeHistograms(all: readonly Histogram[]): Histogram {
  const merged = new Map<number, number>()
  for (const histogram of all)
    for (const [bucket, values] of histogram) merged.set(bucket, (merged.get(bucket) ?? 0) + values)
  return merged
}

/**
 * The value in ms that this share of the values does not exceed, such as 0.95; as if values were spread evenly over a bucket.
 *
 * @returns undefined: there are no values
 */
export function percentile(histogram: Histogram, share: number): number | undefined {
  const buckets = [...histogram].sort(([a], [b]) => a - b)
  const total = buckets.reduce((sum, [, values]) => sum + values, 0)
  let before = 0
  for (const [bucket, values] of buckets) {
    const wanted = share * total - before
    if (wanted <= values) return beginOf(bucket + Math.min(Math.max(wanted / values, 0), 1))
    before += values
  }
  return undefined
}

/** `a.3,b.1`: buckets and values to the base of 36; `-` where there are none. */
export function histogramText(histogram: Histogram): string {
  if (histogram.size === 0) return '-'
  return [...histogram].map(([bucket, values]) => `${bucket.toString(36)}.${values.toString(36)}`).join(',')
}

export function histogramOf(text: string): Histogram {
  if (text === '-') return new Map()
  return new Map(
    text.split(',').map((entry) => {
      const [bucket = '', values = ''] = entry.split('.')
      return [Number.parseInt(bucket, 36), Number.parseInt(values, 36)] as const
    }),
  )
}
