import { type RoundId, unescapePart } from '../../core/rounds/round.ts'
import type { RedisClient } from '../../redis/connections.ts'
import { redisNowMs } from '../../redis/redis-clock.ts'
import { answered, lookAtEach } from './each-system.ts'
import { keyOf } from './record-keys.ts'
import { type Indexed, MAX_STRETCHES, type SystemIndex, type SystemWalk } from './system-index.ts'

/** As of a system that the index has not: no time is this. */
const NOT_NOTED = -1

/** What was found of some systems. */
interface Found {
  readonly due: readonly RoundId[]
  /** When the next deadline comes that is not due. */
  readonly nextMs: number
}

/** Finds the rounds whose deadline has come. Of all systems it is noted when their next one does, and those alone are asked whose has. */
export class Deadlines {
  private readonly walk: SystemWalk

  constructor(
    private readonly redis: RedisClient,
    private readonly index: SystemIndex,
  ) {
    this.walk = index.walk()
  }

  /** True once every system was looked at that older builds may have left a deadline in. */
  get hasGoneRound(): boolean {
    return this.walk.hasGoneRound
  }

  /** As `Records.due`. */
  async due(limit: number, expected: readonly string[] | undefined) {
    const nowMs = await redisNowMs(this.redis)
    const failures: unknown[] = []
    const walkedMs = expected ? Number.POSITIVE_INFINITY : await this.noteAll(nowMs, failures)
    const { due, nextMs } = await this.dueOfNoted(nowMs, limit, expected ?? [], failures)
    const nextInMs = Math.min(walkedMs, nextMs) - nowMs
    return { due: due.slice(0, limit), nextInMs, ...(failures.length > 0 && { trouble: failures[0] }) }
  }

  /** Notes of all systems in use, and some of all others, when their next deadline comes; when the first of them does. */
  private async noteAll(nowMs: number, failures: unknown[]): Promise<number> {
    let nextMs = Number.POSITIVE_INFINITY
    for (let stretch = 0; stretch < MAX_STRETCHES; stretch += 1) {
      const { active, others, isRound } = await this.walk.next()
      nextMs = Math.min(nextMs, await this.note(active, others, nowMs, failures))
      if (isRound) break
    }
    return nextMs
  }

  /** The same of these; lets those rest that have nothing to be done. */
  private async note(
    active: readonly Indexed[],
    others: readonly Indexed[],
    nowMs: number,
    failures: unknown[],
  ): Promise<number> {
    const all = [...active, ...others]
    const looks = await lookAtEach(
      this.redis,
      all.map(({ system }) => system),
      (system) => [
        ['zrange', keyOf(system, 'deadlines'), 0, 0, 'WITHSCORES'],
        ['zcard', keyOf(system, 'outbox')],
        ['zcard', keyOf(system, 'overdue')],
      ],
    )
    const isActive = new Set(active)
    let firstMs = Number.POSITIVE_INFINITY
    const noting: Promise<unknown>[] = []
    for (const { of: one, answers } of answered(all, looks, failures)) {
      const [head, left, overdue] = answers as [string[], unknown, unknown]
      const atMs = Number(head[1] ?? Number.POSITIVE_INFINITY)
      if (atMs > nowMs) firstMs = Math.min(firstMs, atMs)
      if (atMs !== Number.POSITIVE_INFINITY) noting.push(this.index.noteDue(one.system, atMs))
      // Left by a build that keeps no such indexes.
      if (!isActive.has(one) && Number(overdue) > 0) noting.push(this.index.noteOverdue(one.system))
      else if (isActive.has(one) && Number(left) === 0) noting.push(this.index.rest(one, nowMs))
    }
    await Promise.all(noting)
    return firstMs
  }

  /** Of the systems of which it is noted that their next deadline has come, and of the expected ones. */
  private async dueOfNoted(
    nowMs: number,
    limit: number,
    expected: readonly string[],
    failures: unknown[],
  ): Promise<Found> {
    const due: RoundId[] = []
    let nextMs = Number.POSITIVE_INFINITY
    let away = 0
    for (let stretch = 0; stretch < MAX_STRETCHES && due.length < limit; stretch += 1) {
      const noted = await this.index.dueBy(nowMs, away)
      const isNoted = new Set(noted.due.map(({ system }) => system))
      const besides = stretch === 0 ? expected.filter((system) => !isNoted.has(system)) : []
      const some = [...noted.due, ...besides.map((system) => ({ system, score: NOT_NOTED }))]
      const before = failures.length
      const found = await this.dueOf(some, nowMs, limit - due.length, failures)
      due.push(...found.due)
      nextMs = Math.min(nextMs, noted.nextMs, found.nextMs)
      // Where nothing stays but those that do not answer, others may be behind them.
      if (noted.isLast || failures.length === before || found.due.length > 0) break
      away += failures.length - before
    }
    return { due, nextMs }
  }

  private async dueOf(
    indexed: readonly Indexed[],
    nowMs: number,
    limit: number,
    failures: unknown[],
  ): Promise<Found> {
    const share = Math.max(1, Math.ceil(limit / Math.max(1, indexed.length)))
    const looks = await lookAtEach(
      this.redis,
      indexed.map(({ system }) => system),
      (system) => [
        ['zrangebyscore', keyOf(system, 'deadlines'), '-inf', nowMs, 'LIMIT', 0, share],
        ['zrangebyscore', keyOf(system, 'deadlines'), `(${nowMs}`, '+inf', 'WITHSCORES', 'LIMIT', 0, 1],
      ],
    )
    const due: RoundId[] = []
    const settled: Indexed[] = []
    for (const { of: one, answers } of answered(indexed, looks, failures)) {
      const [late, next] = answers as [string[], string[]]
      for (const round of late) due.push({ system: one.system, round: unescapePart(round) })
      if (late.length > 0) continue
      await this.index.settleDue(one, Number(next[1] ?? Number.POSITIVE_INFINITY))
      settled.push(one)
    }
    // What came between the look and the settling found the old note, and left none of its own.
    return { due, nextMs: await this.note([], settled, nowMs, failures) }
  }
}
