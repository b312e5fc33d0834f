import { randomBytes } from 'node:crypto'
import { Cluster } from 'ioredis'
import type { StoreBeat, StoreLoss, StoreMark, StoreMarks } from '../core/ports.ts'
import { attempt } from './attempt.ts'
import type { RedisClient } from './connections.ts'
import { defineSteps, type Steps } from './steps.ts'

const MARK = 'gone:{~store}'

/** One in each 1024 of a Cluster's slots, so that every node with as many in a row has one. */
export const CLUSTER_MARKS = [
  1089, 1199, 1444, 1554, 2948, 171, 241, 351, 1512, 1402, 1732, 1622, 317, 207, 137, 3519,
].map((number) => `gone:{~store-${number}}`)

const STEPS = ['beat'] as const

/** Marks in Redis: a hash, and in a Cluster one in every part of it. Nothing here goes by a clock, and nothing expires. */
export class RedisMarks implements StoreMarks {
  readonly parts: readonly string[]
  private readonly process = freshId()
  private readonly steps: Steps<(typeof STEPS)[number]>

  constructor(redis: RedisClient) {
    this.parts = redis instanceof Cluster ? CLUSTER_MARKS : [MARK]
    this.steps = defineSteps(redis, { beside: import.meta.url, names: STEPS, prefix: 'gone', keyCount: 1 })
  }

  async beat(part: string, known: StoreMark | undefined): Promise<StoreBeat> {
    return attempt('count on in the store', async () => {
      const told = [known?.id ?? '', known?.beat ?? 0, freshId()]
      const [loss, id, beat, nowMs, keptAtMs] = await this.steps.beat(part, this.process, ...told)
      return {
        mark: { id: String(id), beat: Number(beat) },
        nowMs: Number(nowMs),
        ...(loss !== '' && { loss: loss as StoreLoss }),
        ...(Number(keptAtMs) > 0 && { keptAtMs: Number(keptAtMs) }),
      }
    })
  }
}

function freshId(): string {
  return randomBytes(6).toString('base64url')
}
