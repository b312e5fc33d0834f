import { type Instance, takesIn } from './instance.ts'

/** What a look at a queue finds. */
export interface QueueFacts {
  readonly worker: string
  /** Of a queue whose jobs are for one: nobody else takes them. */
  readonly region?: string
  /** Jobs that have not ended, whatever they wait for. */
  readonly pending: number
  /** Jobs that somebody has in hand, or had when he was gone. */
  readonly active: number
  /** Jobs that somebody could take now: waiting, prioritized, or delayed and due for a second. */
  readonly ready: number
  /** Paused, limited by rate, or at the most that it may run at once: then nobody is to take any. */
  readonly isHeld: boolean
  /** How many jobs of it have ended, as far as the store counts; only its growth matters. */
  readonly taken: number
}

/** What has been so without a gap, since when. */
export interface Watched {
  /** Of each instance its workers that have room, and take none of the jobs that wait for them. */
  readonly idle: ReadonlyMap<string, ReadonlyMap<string, number>>
  /** Workers whose jobs wait, and that no registered instance serves. */
  readonly unserved: ReadonlyMap<string, number>
  readonly taken: ReadonlyMap<string, number>
}

export const NOTHING_WATCHED: Watched = { idle: new Map(), unserved: new Map(), taken: new Map() }

/** What is judged: by what an instance does, and not by what it says. */
export interface Judgement {
  readonly watched: Watched
  /** Since when, of each instance that is stuck. */
  readonly stuck: ReadonlyMap<string, number>
  /** Since when, of each worker that nobody serves though its jobs wait. */
  readonly noWorker: ReadonlyMap<string, number>
}

/** A slot that another instance freed may be noticed only after 5 s, so that less would be false. */
export const STUCK_AFTER_MS = 30_000

/**
 * Judges instances and queues by consumption: only what has held at every look for so long counts.
 *
 * @param nowMs the store's clock, in which instances tell when they last took a job
 */
export function judge(
  instances: readonly Instance[],
  queues: readonly QueueFacts[],
  before: Watched,
  nowMs: number,
  afterMs = STUCK_AFTER_MS,
): Judgement {
  const waiting = queues.filter(({ ready, isHeld }) => ready > 0 && !isHeld)
  const serving = servingIn(instances)
  const idle = new Map(
    serving.map((one) => [one.id, idleOf(one, waiting, before.idle.get(one.id) ?? new Map(), nowMs)]),
  )
  const unserved = new Map<string, number>()
  for (const { worker, taken, region, active } of waiting) {
    // What nobody takes in its region is moved on. What is in a hand that is gone waits again before long.
    if (region !== undefined || active > 0) continue
    if (serving.some((one) => serves(one, worker))) continue
    // Somebody who is not registered serves it: an older build, or a client in another language.
    if (taken > (before.taken.get(worker) ?? taken)) continue
    unserved.set(worker, before.unserved.get(worker) ?? nowMs)
  }
  const taken = new Map(
    queues.flatMap(({ worker, region, taken }) => (region === undefined ? [[worker, taken] as const] : [])),
  )
  const lasting = (since: Iterable<readonly [string, number]>) =>
    new Map([...since].filter(([, sinceMs]) => nowMs - sinceMs >= afterMs))
  const longest = [...idle].flatMap(([id, since]) =>
    since.size > 0 ? [[id, Math.min(...since.values())] as const] : [],
  )
  return { watched: { idle, unserved, taken }, stuck: lasting(longest), noWorker: lasting(unserved) }
}

/**
 * Workers of whose jobs some are in a hand, and that no registered instance serves: where that hand is gone, nobody else would
 * look. Those that are for a region are moved on by whoever looks after regions.
 */
export function unattended(instances: readonly Instance[], queues: readonly QueueFacts[]): readonly string[] {
  const serving = servingIn(instances)
  return queues.flatMap(({ worker, region, active }) =>
    region === undefined && active > 0 && !serving.some((one) => serves(one, worker)) ? [worker] : [],
  )
}

/** Since when each of its workers has had room, and jobs to take, and has taken none. */
function idleOf(
  instance: Instance,
  waiting: readonly QueueFacts[],
  before: ReadonlyMap<string, number>,
  nowMs: number,
): ReadonlyMap<string, number> {
  const idle = new Map<string, number>()
  const { workers, stats } = instance
  for (const { name, slots } of workers) {
    const { running, lastTakenAtMs = 0 } = stats?.workers[name] ?? {}
    // What was not heard yet is not judged.
    if (running === undefined || running >= slots || !waiting.some((queue) => isFor(queue, name, instance)))
      continue
    const since = before.get(name) ?? nowMs
    // One that took a job meanwhile is not stuck, whatever waits behind it.
    idle.set(name, lastTakenAtMs > since ? nowMs : since)
  }
  return idle
}

function isFor({ worker, region }: QueueFacts, name: string, instance: Instance): boolean {
  return worker === name && (region === undefined || takesIn(instance, name, region))
}

function servingIn(instances: readonly Instance[]): readonly Instance[] {
  return instances.filter((one) => !one.end && one.mode === 'registered')
}

function serves({ workers }: Instance, worker: string): boolean {
  return workers.some(({ name }) => name === worker)
}

/** What of an instance has changed: it is to be marked so. */
export function marksOf(
  instances: readonly Instance[],
  { stuck, watched: { idle } }: Judgement,
): readonly { readonly id: string; readonly stuckSinceMs: number | undefined }[] {
  return instances
    .filter((one) => {
      if (one.end || (one.stuckSinceMs !== undefined) === stuck.has(one.id)) return false
      // A server that has just begun to look does not know for how long: as long as it takes none, it stays marked.
      return stuck.has(one.id) || (idle.get(one.id)?.size ?? 0) === 0
    })
    .map(({ id }) => ({ id, stuckSinceMs: stuck.get(id) }))
}
