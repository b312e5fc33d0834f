import { LRUCache } from 'lru-cache'
import { MAX_QUEUES } from '../core/rounds/job.ts'
import { isOneServer, type RedisClient } from '../redis/connections.ts'
import { redisNowMs } from '../redis/redis-clock.ts'
import { defineSteps, type Steps } from '../redis/steps.ts'
import { type Want, wantedBy, wantedIfAny } from '../redis/wants.ts'
import { inParts } from './in-parts.ts'
import { wantsOfJobs } from './open-queue.ts'
import { BULL_PARTS, MOVING, NAMES_KEY, OLD_NAMES_KEY, oldKey, queueKey } from './queue-keys.ts'

const STEPS = ['note-queues', 'count-queues', 'forget-queue', 'unlist-queue'] as const
const COUNTED = [
  'wait',
  'active',
  'delayed',
  'prioritized',
  'completed',
  'failed',
  'meta',
  'limiter',
] as const
/** What of a queue has jobs, wherever an older build had put them. */
const FILLED = ['wait', 'paused', 'active', 'delayed', 'prioritized', 'completed', 'failed', MOVING]
/** Of more queues it is not asked each time whether jobs are in them. */
const MAX_ASKED = 20
const MAX_SERVED = 1_000
const NUMBERS = 9
/** Whoever is woken for a job that is due needs a moment to take it. */
const DUE_FOR_MS = 1_000
/** A queue is noted to be used so often at most, and four times at least in the time after which it is forgotten. */
const NOTE_EVERY_MS = 3_600_000

/** How a queue stands: jobs by state, those delayed that are due, what grows when one ends, and whether nobody is to take any. */
export interface QueueState {
  readonly name: string
  readonly counts: Readonly<
    Record<'waiting' | 'active' | 'delayed' | 'prioritized' | 'completed' | 'failed', number>
  >
  readonly due: number
  readonly ended: number
  readonly isHeld: boolean
}

/** Which queues of workers there are, and how they stand: a few commands for thousands of them. */
export class QueueNames {
  private readonly steps: Steps<(typeof STEPS)[number]>
  readonly noteEveryMs: number
  private readonly noted: LRUCache<string, true>
  private readonly served: LRUCache<string, true>
  /** As they were listed last. */
  private listed: readonly string[] = []

  /** @param keptMs how long a queue is remembered that nobody uses */
  constructor(
    private readonly client: RedisClient,
    private readonly keptMs: number,
  ) {
    this.noteEveryMs = Math.min(NOTE_EVERY_MS, Math.ceil(keptMs / 4))
    this.noted = new LRUCache({ max: MAX_QUEUES, ttl: this.noteEveryMs })
    this.served = new LRUCache({ max: MAX_SERVED, ttl: this.noteEveryMs })
    this.steps = defineSteps(client, { beside: import.meta.url, names: STEPS, prefix: 'gone' })
  }

  /** Notes that these are used. */
  async note(...names: readonly string[]): Promise<void> {
    const fresh = names.filter((name) => !this.noted.has(name))
    if (fresh.length === 0) return
    await this.steps['note-queues'](1, NAMES_KEY, '', ...fresh)
    for (const name of fresh) this.noted.set(name, true)
  }

  /** Keeps those of them that were ever used from being forgotten: somebody serves them. */
  async serve(...names: readonly string[]): Promise<void> {
    const fresh = names.filter((name) => !this.served.has(name))
    if (fresh.length === 0) return
    await this.steps['note-queues'](1, NAMES_KEY, 'known', ...fresh)
    for (const name of fresh) this.served.set(name, true)
  }

  /** Notes one, unless it would be one more than there may be: false. */
  async admits(name: string): Promise<boolean> {
    if (this.noted.has(name)) return true
    const isNoted = Number(await this.steps['note-queues'](1, NAMES_KEY, MAX_QUEUES, name)) === 1
    if (isNoted) this.noted.set(name, true)
    return isNoted
  }

  /** Notes all again as they are used: the store may have lost them. */
  relist(): void {
    this.noted.clear()
  }

  /** Those that were used last. */
  recent(limit: number): Promise<readonly string[]> {
    return this.client.zrevrange(NAMES_KEY, 0, limit - 1)
  }

  /** Those of the names that are used. */
  async known(names: readonly string[]): Promise<readonly string[]> {
    const scores = await Promise.all(names.map((name) => this.client.zscore(NAMES_KEY, name)))
    return names.filter((_, at) => scores[at] !== null)
  }

  /** How all of them stand. */
  async states(): Promise<readonly QueueState[]> {
    const names = await this.client.zrange(NAMES_KEY, 0, '-1')
    this.listed = names
    const states: QueueState[] = []
    for (const some of inParts(names)) {
      const numbers = await this.counted(some)
      for (const [at, name] of some.entries()) states.push(stateOf(name, numbers.slice(at * NUMBERS)))
    }
    return states
  }

  /** The numbers of each. In a Cluster their keys are in as many slots. */
  private async counted(names: readonly string[]): Promise<readonly number[]> {
    if (!isOneServer(this.client) && names.length > 1)
      return (await Promise.all(names.map((name) => this.counted([name])))).flat()
    const keys = names.flatMap((name) => COUNTED.map((part) => queueKey(name, part, this.client)))
    return (await this.steps['count-queues'](keys.length, ...keys, DUE_FOR_MS)) as number[]
  }

  /** Jobs in one of them, and one that is not known here yet or is to be forgotten. */
  wants(): readonly Want[] {
    const asked = this.listed.length > MAX_ASKED ? [] : this.listed
    return [
      { key: NAMES_KEY, when: 'more', than: asked.length },
      wantedBy(NAMES_KEY, this.keptMs),
      wantedIfAny(OLD_NAMES_KEY),
      ...asked.flatMap((name) => wantsOfJobs(name, this.client)),
    ]
  }

  /**
   * Forgets queues that nobody has used for so long and nothing is in.
   *
   * @param clean removes jobs of a queue that ended as long ago
   */
  async forget(clean: (name: string) => Promise<void>): Promise<number> {
    await this.adopt()
    const unused = await this.unused()
    let forgotten = 0
    for (const name of unused) {
      let outcome = await this.forgetOne(name)
      if (outcome === 1) {
        await clean(name)
        outcome = await this.forgetOne(name)
      }
      if (outcome === 2) forgotten += 1
    }
    return forgotten
  }

  /** What is left of it, and then its name, unless it was used meanwhile: in a Cluster these are in two slots. */
  private async forgetOne(name: string): Promise<number> {
    const keys = BULL_PARTS.map((part) => queueKey(name, part, this.client))
    const outcome = Number(await this.steps['forget-queue'](keys.length, ...keys, this.keptMs))
    if (outcome !== 2) return outcome
    const listed = [NAMES_KEY, ...FILLED.map((part) => oldKey(name, part))]
    return Number(await this.steps['unlist-queue'](listed.length, ...listed, name, this.keptMs))
  }

  private async unused(): Promise<readonly string[]> {
    return this.client.zrangebyscore(NAMES_KEY, '-inf', String((await redisNowMs(this.client)) - this.keptMs))
  }

  /** What an older build has listed counts as used now. */
  private async adopt(): Promise<void> {
    for (const some of inParts(await this.client.smembers(OLD_NAMES_KEY))) {
      await this.steps['note-queues'](1, NAMES_KEY, '', ...some)
      await this.client.srem(OLD_NAMES_KEY, ...some)
    }
  }
}

function stateOf(name: string, numbers: readonly number[]): QueueState {
  const [waiting = 0, active = 0, delayed = 0, prioritized = 0, completed = 0, failed = 0] = numbers
  const [due = 0, ended = 0, held = 0] = numbers.slice(6)
  const counts = { waiting, active, delayed, prioritized, completed, failed }
  return { name, counts, due, ended, isHeld: held === 1 }
}
