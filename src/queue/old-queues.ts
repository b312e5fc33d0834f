import { ALERTS_QUEUE, ROUNDS_QUEUE, WAKES_QUEUE } from '../core/rounds/job.ts'
import { attempt } from '../redis/attempt.ts'
import { isOneServer, type RedisClient } from '../redis/connections.ts'
import { defineSteps, type Steps } from '../redis/steps.ts'
import { inParts } from './in-parts.ts'
import { BULL_PARTS, MOVING, NAMES_KEY, OLD_NAMES_KEY, oldKey, queueKey } from './queue-keys.ts'

/** What an older build has left of a queue. */
export interface OldQueue {
  readonly name: string
  /** Jobs that nobody takes there but workers of older builds. */
  readonly pending: number
  /** Jobs that these run, or ran when they died. */
  readonly active: number
  readonly ended: number
}

const STEPS = ['count-old', 'take-old', 'put-adopted', 'drop-old', 'forget-queue'] as const
const COUNTED = ['wait', 'paused', MOVING, 'active', 'delayed', 'prioritized', 'completed', 'failed']
const TAKEN = ['wait', 'paused', 'active', 'stalled', 'delayed', 'prioritized', 'completed', 'failed', MOVING]
const PUT = ['wait', 'delayed', 'prioritized', 'completed', 'failed', 'marker', 'pc']
/** What somebody has said of a queue that is to last. */
const SAID = ['paused', 'concurrency', 'max', 'duration']
const AT_ONCE = 20
/** Whatever is added meanwhile by an older build: the rest is left to the next time. */
const MAX_TURNS = 100_000

/**
 * In a Cluster, the queues where older builds kept them: all in one slot. Jobs there are no longer taken by anybody else, so they have to
 * be moved. On one server queues are where they were, and nothing is ever found.
 */
export class OldQueues {
  private readonly steps: Steps<(typeof STEPS)[number]>

  /** @param client one with a command timeout */
  constructor(private readonly client: RedisClient) {
    this.steps = defineSteps(client, { beside: import.meta.url, names: STEPS, prefix: 'gone' })
  }

  /**
   * Those in which anything is.
   *
   * @param others looked at besides those that are listed
   */
  async look(others: readonly string[] = []): Promise<readonly OldQueue[]> {
    if (isOneServer(this.client)) return []
    return attempt('look where older builds kept queues', async () => {
      const [listed, older] = await Promise.all([
        this.client.zrange(NAMES_KEY, 0, '-1'),
        this.client.smembers(OLD_NAMES_KEY),
      ])
      // Wakes are made anew by whoever misses them.
      return this.count([...new Set([ROUNDS_QUEUE, ALERTS_QUEUE, ...listed, ...older, ...others])])
    })
  }

  /** The same of these alone. */
  async count(names: readonly string[]): Promise<readonly OldQueue[]> {
    if (isOneServer(this.client)) return []
    const found: OldQueue[] = []
    for (const some of inParts(names)) {
      const keys = some.flatMap((name) => COUNTED.map((part) => oldKey(name, part)))
      const numbers = (await this.steps['count-old'](keys.length, ...keys)) as number[]
      for (const [at, name] of some.entries()) {
        const [pending = 0, active = 0, ended = 0] = numbers.slice(at * 3)
        if (pending + active + ended > 0) found.push({ name, pending, active, ended })
      }
    }
    return found
  }

  /**
   * Moves what is in one of them to where it belongs: each job under its id, with its attempts, its place and its log. What somebody runs
   * stays. Cut off at any point, the next time goes on from there.
   *
   * @param moved told of each lot
   */
  async adopt(name: string, moved: (jobs: number) => void): Promise<OldQueue | undefined> {
    return attempt(`move what is in the queue ${name}`, async () => {
      await this.adoptWhatIsSaid(name)
      moved(await this.putAll(name, await this.client.lrange(oldKey(name, MOVING), 0, -1)))
      for (let turn = 0; turn < MAX_TURNS; turn += 1) {
        const notes = await this.take(name)
        if (notes.length === 0) break
        moved(await this.putAll(name, notes))
      }
      const [left] = await this.count([name])
      if (left === undefined) await this.removeRest(name)
      return left
    })
  }

  /** Removes the wakes there: whoever ticks schedules makes them anew. */
  async removeWakes(): Promise<void> {
    if (isOneServer(this.client)) return
    await attempt('remove wakes', async () => {
      for (let turn = 0; turn < MAX_TURNS; turn += 1) {
        const notes = await this.take(WAKES_QUEUE)
        if (notes.length === 0) break
        await Promise.all(notes.map((note) => this.drop(WAKES_QUEUE, note)))
      }
      for (const some of inParts(await this.client.zrange(oldKey(WAKES_QUEUE, 'repeat'), 0, '-1')))
        await this.client.del(...some.map((id) => oldKey(WAKES_QUEUE, `repeat:${id}`)))
      await this.client.del(oldKey(WAKES_QUEUE, 'repeat'))
      await this.removeRest(WAKES_QUEUE)
    })
  }

  private async take(name: string): Promise<readonly string[]> {
    const keys = TAKEN.map((part) => oldKey(name, part))
    return (await this.steps['take-old'](keys.length, ...keys, oldKey(name, ''), AT_ONCE)) as string[]
  }

  /** Each reaches the node that the queue is on in its order; how many were moved. */
  private async putAll(name: string, notes: readonly string[]): Promise<number> {
    let sum = 0
    for (const some of inParts(notes)) {
      const jobs = await Promise.all(some.map((note) => this.read(name, note)))
      const put = await Promise.all(jobs.map((job) => this.put(name, job)))
      await Promise.all(some.map((note, at) => (put[at] === 'waits' ? undefined : this.drop(name, note))))
      sum += put.filter((one) => one === 'put').length
    }
    return sum
  }

  private async read(name: string, note: string) {
    const { id } = partsOf(note)
    const [fields, lines] = await Promise.all([
      this.client.hgetall(oldKey(name, id)),
      this.client.lrange(oldKey(name, `${id}:logs`), 0, -1),
    ])
    return { ...partsOf(note), fields, lines }
  }

  /** `known`: there is nothing to move, or it is there. `waits`: one of the same round is run there now. */
  private async put(
    name: string,
    { id, state, score, fields, lines }: Awaited<ReturnType<OldQueues['read']>>,
  ): Promise<'put' | 'known' | 'waits'> {
    if (Object.keys(fields).length === 0) return 'known'
    const keys = [id, `${id}:logs`, `${id}:lock`, ...PUT].map((part) => queueKey(name, part, this.client))
    const told = [id, state, score, fields.timestamp ?? 0, lines.length, ...lines]
    const all = [...keys, ...told, ...Object.entries(fields).flat()]
    const reply = Number(await this.steps['put-adopted'](keys.length, ...all))
    return reply === 1 ? 'put' : reply === 0 ? 'known' : 'waits'
  }

  private async drop(name: string, note: string): Promise<void> {
    const { id } = partsOf(note)
    const keys = [MOVING, id, `${id}:logs`].map((part) => oldKey(name, part))
    await this.steps['drop-old'](keys.length, ...keys, note)
  }

  /** Before a job is moved: one of a queue that is paused is not to run. */
  private async adoptWhatIsSaid(name: string): Promise<void> {
    const said = await this.client.hmget(oldKey(name, 'meta'), ...SAID)
    for (const [at, field] of SAID.entries()) {
      const value = said[at]
      if (value !== null && value !== undefined)
        await this.client.hsetnx(queueKey(name, 'meta', this.client), field, value)
    }
  }

  private async removeRest(name: string): Promise<void> {
    await this.client.hdel(oldKey(name, 'meta'), ...SAID)
    const keys = BULL_PARTS.map((part) => oldKey(name, part))
    await this.steps['forget-queue'](keys.length, ...keys, 0)
  }
}

function partsOf(note: string): { readonly state: string; readonly score: string; readonly id: string } {
  const [state = '', score = '', ...id] = note.split(' ')
  return { state, score, id: id.join(' ') }
}
