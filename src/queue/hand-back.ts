import { randomUUID } from 'node:crypto'
import type { Queue } from 'bullmq'
import type { DeadInstance, HandBack } from '../core/fleet/fleet-ports.ts'
import { ownerOf } from '../core/rounds/job.ts'
import type { RoundId } from '../core/rounds/round.ts'
import { attempt } from '../redis/attempt.ts'
import type { RedisClient } from '../redis/connections.ts'
import { eachAtOnce } from '../waiting.ts'
import { bullmq } from './bullmq.ts'
import { roundOf } from './job-ends.ts'
import { openQueue } from './open-queue.ts'
import { OpenQueues } from './open-queues.ts'
import { queueKey } from './queue-keys.ts'

/** BullMQ's answers that a job is not in this hand any more: gone, without a lock, not active, locked by another. */
const NOT_OURS: readonly unknown[] = [-1, -2, -3, -6]
/** For as long as it takes to hand one back. */
const LOCK_MS = 5_000
const AT_ONCE = 16
/** More than an instance has workers. */
const MAX_OPEN = 400

/** Puts what an instance ran back into its queues: by the locks that it held, and where those are gone by its name on the job. */
export class BullHandBack implements HandBack {
  private readonly queues = new OpenQueues(MAX_OPEN, (name) => openQueue(name, this.client))

  /**
   * @param client one with a command timeout
   * @param releaseGate of a round, where this instance has it
   */
  constructor(
    private readonly client: RedisClient,
    private readonly releaseGate: (id: RoundId, instance: string) => Promise<void>,
  ) {}

  async handBack({ id, locks }: DeadInstance) {
    return attempt('hand back what an instance ran', async () => {
      const found = await Promise.all(
        Object.entries(locks).map(([name, lock]) => this.handBackOf(this.queues.open(name), id, lock)),
      )
      return found.flat()
    })
  }

  async stop(): Promise<void> {
    await this.queues.close()
  }

  private async handBackOf(queue: Queue, instance: string, lock: string) {
    const keyOf = (id: string) => queueKey(queue.name, id, this.client)
    const ids = await this.client.lrange(keyOf('active'), 0, -1)
    if (ids.length === 0) return []
    const held = await this.client.mget(ids.map((id) => `${keyOf(id)}:lock`))
    // A few at once: each is asked for twice, and Redis may be far away.
    const moved = await eachAtOnce(AT_ONCE, ids, async (id, index) => {
      const value = held[index]
      const token =
        value === null || value === undefined
          ? await this.takeLock(keyOf(id), instance)
          : value.startsWith(lock)
            ? value
            : undefined
      // One that somebody else has put there BullMQ finds stalled.
      const round = roundOf({ id })
      if (token === undefined || round === undefined) return undefined
      // Whoever takes the job would find the gate held, and put it off.
      await this.releaseGate(round, instance)
      return (await this.move(queue, id, token)) ? { worker: ownerOf(queue.name).worker, round } : undefined
    })
    return moved.filter((one) => one !== undefined)
  }

  /** A job whose lock has ended, and that this instance was the last to take: nobody may move it without a lock. */
  private async takeLock(key: string, instance: string): Promise<string | undefined> {
    if ((await this.client.hget(key, 'pb')) !== instance) return undefined
    const token = randomUUID()
    const isTaken = await this.client.set(`${key}:lock`, token, 'PX', LOCK_MS, 'NX')
    return isTaken === 'OK' ? token : undefined
  }

  private async move(queue: Queue, id: string, token: string): Promise<boolean> {
    try {
      await new bullmq.Job(queue, '', {}, {}, id).moveToWait(token)
      return true
    } catch (error) {
      if (NOT_OURS.includes((error as { readonly code?: unknown }).code)) return false
      throw error
    }
  }
}
