import { randomBytes } from 'node:crypto'
import {
  type InstanceLogs,
  LOG_BYTES,
  LOG_LINES,
  type LogBatch,
  type LogEntry,
} from '../../core/fleet/instance-log.ts'
import { attempt } from '../../redis/attempt.ts'
import type { RedisClient } from '../../redis/connections.ts'
import { redisNowMs } from '../../redis/redis-clock.ts'
import { defineSteps, type Steps } from '../../redis/steps.ts'

/** In the slot of the fleet. */
const KEY = (name: string) => `gone:{~fleet}:${name}`
const GROWN = KEY('grown-logs')
const COUNT = KEY('log-count')
const HEARD = KEY('heard-logs')
/** In the order that logs.lua gives. */
const KEYS = [KEY('watched-logs'), GROWN, COUNT, HEARD]
const logOf = (id: string) => KEY(`log:${id}`)

const KEPT_S = 3_600
/** With what is kept of each: 32 MB at the most. */
const MOST_LOGS = 256

/** A line as it is kept, without names of members. */
type KeptLine = readonly [agoMs: number, isError: 0 | 1, text: string]

/** Logs in Redis: a stream each, whose entries are counted over all of them, so that one number says up to where they were read. */
export class RedisLogs implements InstanceLogs {
  private readonly steps: Steps<'watch' | 'watched' | 'add'>

  constructor(private readonly redis: RedisClient) {
    this.steps = defineSteps(redis, {
      beside: import.meta.url,
      prelude: 'logs',
      names: ['watch', 'watched', 'add'],
      prefix: 'gone_logs',
    })
  }

  async watch(ids: readonly string[], forMs: number) {
    return attempt('ask for logs', async () => {
      const epoch = randomBytes(6).toString('base64url')
      const [nowMs, ...fresh] = await this.steps.watch(KEYS.length, ...KEYS, forMs, epoch, MOST_LOGS, ...ids)
      return { nowMs: Number(nowMs), fresh: fresh as string[] }
    })
  }

  async watched(ids: ReadonlyMap<string, boolean>) {
    return attempt('see whether logs are wanted', async () => {
      const own = [...ids].flatMap(([id, isSent]) => [id, isSent ? 1 : 0])
      return new Set((await this.steps.watched(KEYS.length, ...KEYS, ...own)) as string[])
    })
  }

  async add({ instance, first, lines }: LogBatch, isMore: boolean): Promise<number> {
    return attempt('add to a log', async () => {
      const kept = lines.map(
        ({ agoMs, isError, text }): KeptLine => [Math.round(agoMs), isError ? 1 : 0, text],
      )
      const json = JSON.stringify(kept)
      const keys = [...KEYS, logOf(instance)]
      const own = [instance, first, lines.length, json, Buffer.byteLength(json), isMore ? 1 : 0]
      const bounds = [LOG_LINES, LOG_BYTES, KEPT_S, MOST_LOGS]
      const [next, ...over] = await this.steps.add(keys.length, ...keys, ...own, ...bounds)
      if (over.length > 0) await this.redis.del(...(over as string[]).map(logOf))
      return Number(next)
    })
  }

  async latest() {
    return attempt('read how far logs have grown', async () => {
      const [[seq, epoch], nowMs] = await Promise.all([
        this.redis.hmget(COUNT, 'seq', 'epoch'),
        redisNowMs(this.redis),
      ])
      return { number: Number(seq ?? 0), epoch: epoch ?? '', nowMs }
    })
  }

  async heard(sinceMs: number): Promise<ReadonlySet<string>> {
    return attempt('see who sends logs', async () => {
      return new Set(await this.redis.zrangebyscore(HEARD, sinceMs, '+inf'))
    })
  }

  async grown(after: number): Promise<readonly string[]> {
    return attempt('see which logs have grown', () => this.redis.zrangebyscore(GROWN, after + 1, '+inf'))
  }

  async read(ids: readonly string[], after: number, last: number): Promise<readonly LogEntry[]> {
    if (ids.length === 0) return []
    return attempt('read logs', async () => {
      const reading = this.redis.pipeline()
      for (const id of ids) reading.xrange(logOf(id), `${after + 1}-0`, `${last}-0`)
      const answers = (await reading.exec()) ?? []
      return answers.flatMap(([error, entries], index) => {
        if (error) throw error
        return (entries as [string, string[]][]).map((entry) => entryOf(ids[index] as string, entry))
      })
    })
  }
}

function entryOf(instance: string, [id, flat]: [string, string[]]): LogEntry {
  const of = Object.fromEntries(
    flat.flatMap((name, index) => (index % 2 === 0 ? [[name, flat[index + 1] ?? '']] : [])),
  )
  const lines = JSON.parse(of.l ?? '[]') as readonly KeptLine[]
  return {
    instance,
    number: Number(id.split('-')[0]),
    before: Number(of.p),
    dropped: Number(of.d),
    lines: lines.map(([agoMs, isError, text]) => ({
      atMs: Number(of.t) - agoMs,
      isError: isError === 1,
      text,
    })),
  }
}
