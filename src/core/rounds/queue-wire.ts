/** How many jobs of a worker's queue are in which state, as BullMQ names the states. */
export interface QueueJson {
  readonly name: string
  readonly waiting: number
  readonly active: number
  readonly delayed: number
  readonly prioritized: number
  readonly completed: number
  readonly failed: number
}

export interface QueueListJson {
  readonly queues: readonly QueueJson[]
  /** The cursor of the next page; missing on the last. */
  readonly next?: string
}

/** A page of the queues, by name. @param after the name that the page before ended with */
export function queueListOf(
  counts: Readonly<Record<string, Readonly<Record<string, number>>>>,
  after: string | undefined,
  limit: number,
): QueueListJson {
  const names = Object.keys(counts)
    .sort()
    .filter((name) => after === undefined || name > after)
  const page = names.slice(0, limit)
  const last = names.length > limit ? page.at(-1) : undefined
  return {
    queues: page.map((name) => queueJson(name, counts[name])),
    ...(last !== undefined && { next: last }),
  }
}

function queueJson(name: string, counts: Readonly<Record<string, number>> = {}): QueueJson {
  const { waiting = 0, active = 0, delayed = 0, prioritized = 0, completed = 0, failed = 0 } = counts
  return { name, waiting, active, delayed, prioritized, completed, failed }
}
