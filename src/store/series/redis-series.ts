import {
  beginOf,
  CLOSED_AFTER_MS,
  HOUR_MS,
  HOURS_KEPT_MS,
  inTurn,
  MARKS_KEPT_MS,
  MINUTE_MS,
  MINUTES_KEPT_MS,
  MOST_MARKS,
  sumOf,
  sumText,
  together,
  type WorkSum,
} from '../../core/fleet/series.ts'
import type {
  MinuteReport,
  SaidMark,
  SeriesQuery,
  SeriesRead,
  SeriesStore,
} from '../../core/fleet/series-ports.ts'
import { attempt } from '../../redis/attempt.ts'
import type { RedisClient } from '../../redis/connections.ts'
import { redisNowMs } from '../../redis/redis-clock.ts'
import { defineSteps, type Steps } from '../../redis/steps.ts'
import { type Want, wantedBy } from '../../redis/wants.ts'

/** In the slot of the fleet. */
const KEY = (name: string) => `gone:{~fleet}:${name}`
const OPEN = KEY('open-minutes')
const toldOf = (worker: string, minuteMs: number) => KEY(`minute:${worker}:${minuteMs}`)
const minutesOf = (worker: string, hourMs: number) => KEY(`minutes:${worker}:${hourMs}`)
const hoursOf = (worker: string) => KEY(`hours:${worker}`)
const marksOf = (worker: string) => KEY(`marks:${worker}`)
/** No worker's: theirs have a colon. */
const SAID = KEY('marks')

const MOST_OPEN = 10_000
const MOST_INSTANCES = 10_000
const MOST_RELEASES = 100
/** Minutes that are put together at one go; the rest at the next. */
const FOLDED_AT_ONCE = 500
/** An hour longer than they are shown, because an hour's are kept together. */
const MINUTES_KEPT_S = (MINUTES_KEPT_MS + 2 * HOUR_MS) / 1_000
const HOURS_KEPT_S = (HOURS_KEPT_MS + 2 * HOUR_MS) / 1_000

/** A minute that is to be put together. */
export const WANTS_OF_SERIES: readonly Want[] = [wantedBy(OPEN, MINUTE_MS + CLOSED_AFTER_MS)]

/**
 * Series in Redis: what is told of a minute is a field an instance, so that telling it again counts nothing twice; once the minute
 * is closed some server puts it together.
 */
export class RedisSeries implements SeriesStore {
  private readonly steps: Steps<'tell' | 'fold' | 'mark'>

  constructor(private readonly redis: RedisClient) {
    this.steps = defineSteps(redis, {
      beside: import.meta.url,
      names: ['tell', 'fold', 'mark'],
      prefix: 'gone_series',
    })
  }

  now(): Promise<number> {
    return redisNowMs(this.redis)
  }

  async tell({ minuteMs, worker, instance, release, sum, begins = false }: MinuteReport) {
    return attempt('tell what was done in a minute', async () => {
      const keys = [OPEN, toldOf(worker, minuteMs), marksOf(worker)]
      const own = [worker, minuteMs, MINUTE_MS + CLOSED_AFTER_MS, instance, sumText(sum), release]
      const bounds = [MOST_OPEN, MOST_INSTANCES, MOST_RELEASES, MINUTES_KEPT_S, HOURS_KEPT_S]
      const all = [...keys, ...own, ...bounds, begins ? 1 : 0]
      const [nowMs, isTaken] = await this.steps.tell(keys.length, ...all)
      return { isTaken: isTaken === 1, nowMs: Number(nowMs) }
    })
  }

  async fold(): Promise<number> {
    return attempt('put minutes together', async () => {
      const closedMs = (await this.now()) - MINUTE_MS - CLOSED_AFTER_MS
      const open = await this.redis.zrangebyscore(OPEN, '-inf', closedMs, 'LIMIT', 0, FOLDED_AT_ONCE)
      let folded = 0
      for (const member of open) if (await this.foldMinute(memberOf(member))) folded += 1
      return folded
    })
  }

  /** What was read is what is put together: a closed minute does not change, and its place and its hour are compared in the step. */
  private async foldMinute({ worker, minuteMs }: OpenMinute): Promise<boolean> {
    const hourMs = beginOf(minuteMs, HOUR_MS)
    const keys = [
      OPEN,
      toldOf(worker, minuteMs),
      minutesOf(worker, hourMs),
      hoursOf(worker),
      marksOf(worker),
    ] as const
    const [minute, hour, told] = await Promise.all([
      this.redis.hget(keys[2], String(minuteMs)),
      this.redis.hget(keys[3], String(hourMs)),
      this.redis.hvals(keys[1]),
    ])
    const added = together(told.map(sumOf))
    // A minute that was put together before is one that the store's clock has told twice.
    const whole = minute === null ? added : together([sumOf(minute), added])
    const wholeHour = hour === null ? added : inTurn([sumOf(hour), added])
    const isAny = told.length > 0
    const own = [worker, minuteMs, minute ?? '', isAny ? sumText(whole) : '']
    const ofHour = [hourMs, hour ?? '', sumText(wholeHour)]
    const forgotten = hourMs - HOURS_KEPT_MS
    const [isDone] = await this.steps.fold(
      keys.length,
      ...keys,
      ...own,
      ...ofHour,
      MINUTES_KEPT_S,
      HOURS_KEPT_S,
      forgotten,
    )
    return isDone === 1
  }

  async mark(said: Omit<SaidMark, 'atMs'>): Promise<SaidMark> {
    return attempt('note a mark', async () => {
      const [atMs] = await this.steps.mark(1, SAID, JSON.stringify(said), MARKS_KEPT_MS, MOST_MARKS)
      return { atMs: Number(atMs), ...said }
    })
  }

  async read(query: SeriesQuery): Promise<SeriesRead> {
    return attempt('read what was done', async () => {
      const { worker, fromMs, toMs, unit, marksFromMs } = query
      const nowMs = await this.now()
      const open = (await this.redis.zrangebyscore(OPEN, fromMs, toMs))
        .map(memberOf)
        .filter((one) => one.worker === worker)
      const folded =
        unit === 'hour' ? [hoursOf(worker)] : hoursIn(query, nowMs).map((ms) => minutesOf(worker, ms))
      // At one moment: a minute that is put together meanwhile would be told twice, or not at all.
      const read = this.redis.multi()
      for (const key of folded) read.hgetall(key)
      for (const { minuteMs } of open) read.hvals(toldOf(worker, minuteMs))
      for (const key of [marksOf(worker), SAID]) read.zrangebyscore(key, marksFromMs, toMs, 'WITHSCORES')
      const answers = ((await read.exec()) ?? []).map(([error, answer]) => {
        if (error) throw error
        return answer
      })
      const [marks = [], said = []] = answers.splice(-2) as string[][]
      const kept = new Map<number, WorkSum[]>()
      const add = (atMs: number, sums: readonly WorkSum[]) => {
        if (atMs >= fromMs && atMs <= toMs && sums.length > 0)
          kept.set(atMs, [...(kept.get(atMs) ?? []), ...sums])
      }
      for (const texts of answers.slice(0, folded.length) as Record<string, string>[])
        for (const [atMs, text] of Object.entries(texts)) add(Number(atMs), [sumOf(text)])
      for (const [index, { minuteMs }] of open.entries()) {
        const told = answers[folded.length + index] as string[]
        const atMs = unit === 'hour' ? beginOf(minuteMs, HOUR_MS) : minuteMs
        if (told.length > 0) add(atMs, [together(told.map(sumOf))])
      }
      return { nowMs, kept, marks: marksIn(marks), said: saidIn(said, worker, nowMs) }
    })
  }
}

interface OpenMinute {
  readonly worker: string
  readonly minuteMs: number
}

function memberOf(text: string): OpenMinute {
  const [worker = '', minuteMs] = text.split(' ')
  return { worker, minuteMs: Number(minuteMs) }
}

/** Those of which minutes are kept. */
function hoursIn({ fromMs, toMs }: SeriesQuery, nowMs: number): readonly number[] {
  const first = beginOf(Math.max(fromMs, nowMs - MINUTES_KEPT_MS - HOUR_MS), HOUR_MS)
  const many = Math.max(0, Math.floor((Math.min(toMs, nowMs + HOUR_MS) - first) / HOUR_MS) + 1)
  return Array.from({ length: many }, (_, nth) => first + nth * HOUR_MS)
}

function marksIn(flat: readonly string[]) {
  return flat.flatMap((member, index) => {
    const [release = ''] = member.split(' ')
    return index % 2 === 0 ? [{ release, atMs: Number(flat[index + 1]) }] : []
  })
}

/** What is said of this worker, or of all. */
function saidIn(flat: readonly string[], worker: string, nowMs: number): readonly SaidMark[] {
  return flat.flatMap((member, index) => {
    const atMs = Number(flat[index + 1])
    if (index % 2 === 1 || atMs <= nowMs - MARKS_KEPT_MS) return []
    const said = JSON.parse(member.slice(member.indexOf(' ') + 1)) as Omit<SaidMark, 'atMs'>
    return said.worker === undefined || said.worker === worker ? [{ atMs, ...said }] : []
  })
}
