/** What a supervisor lets its instances use. Missing: as much as they like. */
export interface Limits {
  readonly memoryBytes?: number
  readonly maxAgeMs?: number
  readonly maxJobs?: number
}

/** What an instance uses. */
export interface Use {
  /** How much memory it had as it began to work; 0 until that is known. */
  readonly baseBytes: number
  readonly rssBytes: number
  readonly ageMs: number
  readonly jobs: number
}

export type LimitCause = 'memory' | 'age' | 'jobs'

export type Verdict =
  /** Another is to be in its place, and then it is to end in order. */
  | { readonly act: 'replace'; readonly cause: LimitCause }
  /** It has no time left for that. */
  | { readonly act: 'kill'; readonly cause: 'memory' }
  /** None could keep to it: to start another would not help. */
  | { readonly act: 'tell' }

/** Of the memory: from there on there is time for another to begin, and for the jobs of this one to end. */
const REPLACE_AT = 0.8

/** What is to be done with an instance that uses so much; undefined: nothing. */
export function judgeUse({ memoryBytes, maxAgeMs, maxJobs }: Limits, use: Use): Verdict | undefined {
  const { baseBytes, rssBytes, ageMs, jobs } = use
  if (memoryBytes !== undefined && baseBytes > 0 && rssBytes >= memoryBytes * REPLACE_AT) {
    if (baseBytes >= memoryBytes * REPLACE_AT) return { act: 'tell' }
    return { act: rssBytes >= memoryBytes ? 'kill' : 'replace', cause: 'memory' }
  }
  if (maxAgeMs !== undefined && ageMs >= maxAgeMs) return { act: 'replace', cause: 'age' }
  if (maxJobs !== undefined && jobs >= maxJobs) return { act: 'replace', cause: 'jobs' }
  return undefined
}

/** How much of it V8 may have for its heap: it bounds neither buffers nor itself. */
const HEAP_SHARE = 0.6

export function heapMib(memoryBytes: number): number {
  return Math.floor((memoryBytes * HEAP_SHARE) / 1_048_576)
}
