import type { Queue } from 'bullmq'
import { WAKES_QUEUE } from '../core/rounds/job.ts'
import { parseScheduleKey, type ScheduleId, scheduleKey } from '../core/schedules/schedule.ts'
import type { Wake, Wakes } from '../core/schedules/schedule-ports.ts'
import { attempt } from '../redis/attempt.ts'
import type { RedisClient } from '../redis/connections.ts'
import { defineSteps, type Steps } from '../redis/steps.ts'
import { type Want, wantedIfAny } from '../redis/wants.ts'
import { openQueue } from './open-queue.ts'
import { queueKey } from './queue-keys.ts'

/** BullMQ rings by the clocks of our processes; where that of the store is another one, wakes are set to ring right by it. */
const TOLERATED_SKEW_MS = 1_000
/** A wake that rings. When the next one comes the schedules say. */
export function wantsOfWakes(client: RedisClient): readonly Want[] {
  return ['wait', 'active', 'prioritized', 'paused'].map((state) =>
    wantedIfAny(queueKey(WAKES_QUEUE, state, client)),
  )
}
/** What BullMQ says where the job that it would add is the one that rings now. */
const COLLISION = -10

const STEPS = ['missing-wakes'] as const

/**
 * The wakes: one BullMQ Job Scheduler a schedule, its id `<system>~<name>`. BullMQ computes no time of its own: the ticker
 * sets the next time at each tick, as the scheduler's pattern, an ISO 8601 time.
 */
export class WakeQueue implements Wakes {
  readonly queue: Queue
  private readonly schedulersKey: string
  private readonly steps: Steps<(typeof STEPS)[number]>

  /** @param client one with a command timeout: a dead Redis must be an answer, not a hang */
  constructor(client: RedisClient) {
    this.schedulersKey = queueKey(WAKES_QUEUE, 'repeat', client)
    this.queue = openQueue(WAKES_QUEUE, client, {
      repeatStrategy: (_, { pattern }) => Date.parse(pattern ?? ''),
    })
    this.steps = defineSteps(client, { beside: import.meta.url, names: STEPS, prefix: 'gone', keyCount: 1 })
  }

  async set({ id, atMs }: Wake, nowMs: number): Promise<void> {
    await this.ring(id, atMs, nowMs)
  }

  /** Like `set`; false if the job that rings now is the very one that would be set, and is still to ring then. */
  async ring(id: ScheduleId, atMs: number, nowMs: number): Promise<boolean> {
    const skewMs = Date.now() - nowMs
    const ringsAtMs = Math.abs(skewMs) < TOLERATED_SKEW_MS ? atMs : atMs + skewMs
    const key = scheduleKey(id)
    const pattern = new Date(ringsAtMs).toISOString()
    return attempt(`set the next wake of ${key}`, async () => {
      try {
        await this.queue.upsertJobScheduler(key, { pattern }, { name: key })
        return true
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === COLLISION) return false
        throw error
      }
    })
  }

  async remove(id: ScheduleId): Promise<void> {
    const key = scheduleKey(id)
    await attempt(`remove the next wake of ${key}`, () => this.queue.removeJobScheduler(key))
  }

  async missing(ids: readonly ScheduleId[]): Promise<readonly ScheduleId[]> {
    const missing = () => this.steps['missing-wakes'](this.schedulersKey, ...ids.map(scheduleKey))
    return ((await attempt('look for missing wakes', missing)) as string[]).map(parseScheduleKey)
  }

  async stop(): Promise<void> {
    await this.queue.close()
  }
}
