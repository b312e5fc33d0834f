import { randomBytes } from 'node:crypto'
import type { StoreBeat, StoreLoss, StoreMark, StoreMarks } from '../core/rounds/round-ports.ts'
import { attempt } from '../redis/attempt.ts'
import type { RedisClient } from '../redis/connections.ts'
import { ioredis } from '../redis/ioredis.ts'
import { defineSteps, type Steps } from '../redis/steps.ts'
import type { Want } from '../redis/wants.ts'

const MARK = 'gone:{~store}'

/** One in each 1024 of a Cluster's slots, so that every node with as many in a row has one. */
export const CLUSTER_MARKS = [
  1089, 1199, 1444, 1554, 2948, 171, 241, 351, 1512, 1402, 1732, 1622, 317, 207, 137, 3519,
].map((number) => `gone:{~store-${number}}`)

const STEPS = ['beat'] as const

/**
 * Marks in Redis: a hash, and in a Cluster one in every part of it. Nothing of them goes by a clock, and nothing expires. In a Cluster, where no
 * step can look at all that may want something done, something always is.
 */
export class RedisMarks implements StoreMarks {
  readonly parts: readonly string[]
  private readonly process = freshId()
  private readonly isCluster: boolean
  private readonly steps: Steps<(typeof STEPS)[number]>

  /** @param wants when something is to be done */
  constructor(
    redis: RedisClient,
    private readonly wants: () => readonly Want[],
  ) {
    this.isCluster = redis instanceof ioredis.Cluster
    this.parts = this.isCluster ? CLUSTER_MARKS : [MARK]
    this.steps = defineSteps(redis, { beside: import.meta.url, names: STEPS, prefix: 'gone' })
  }

  async beat(part: string, known: StoreMark | undefined): Promise<StoreBeat> {
    return attempt('count on in the store', async () => {
      const wants = this.isCluster ? [] : this.wants()
      const keys = [part, ...wants.map(({ key }) => key)]
      const told = [known?.id ?? '', known?.beat ?? 0, freshId()]
      const asked = wants.flatMap(({ when, than }) => [when, than])
      const reply = await this.steps.beat(keys.length, ...keys, this.process, ...told, ...asked)
      const [loss, id, beat, nowMs, keptAtMs, wanted] = reply
      return {
        mark: { id: String(id), beat: Number(beat) },
        nowMs: Number(nowMs),
        isWanted: this.isCluster || wanted === 1,
        ...(loss !== '' && { loss: loss as StoreLoss }),
        ...(Number(keptAtMs) > 0 && { keptAtMs: Number(keptAtMs) }),
      }
    })
  }
}

function freshId(): string {
  return randomBytes(6).toString('base64url')
}
