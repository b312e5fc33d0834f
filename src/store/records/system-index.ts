import { LRUCache } from 'lru-cache'
import { escapePart, unescapePart } from '../../core/rounds/round.ts'
import type { RedisClient } from '../../redis/connections.ts'
import { defineSteps, type Steps } from '../../redis/steps.ts'
import { type Want, wantedBy, wantedIfAny } from '../../redis/wants.ts'

/** A system as an index has it. */
export interface Indexed {
  readonly system: string
  readonly score: number
}

/** All of them, by when they were last used. */
const SYSTEMS_KEY = 'gone:systems'
/** Those of which something may be to be done: used of late, or with something left in their outbox. By when they were last used. */
const ACTIVE_KEY = 'gone:{~work}:active'
/** Those with deadlines, by when the next one comes. */
const DUE_KEY = 'gone:{~work}:due'
/** Those that may have overdue rounds, by when they last got one. */
const OVERDUE_KEY = 'gone:{~work}:overdue'

/** How often a process says again that a system is in use. */
export const TOUCH_MS = 2_000
/** How long a system is looked at after it was used: far longer than a step can be under way after it was said. */
const ACTIVE_MS = 30_000
/** The same of one that has no overdue rounds. */
const OVERDUE_MS = 60_000
/** How late it may be said again that a system is in use: what is left by a step of until then is found before the system is looked at no more. */
const SAID_WITHIN_MS = ACTIVE_MS - 10_000
const MAX_KNOWN = 10_000
const WINDOW = 1_000
/** How many windows of systems are looked at in one look. */
export const MAX_STRETCHES = 10
const FIRST_LATEST = 100
/** So many systems are looked at each time that nobody has said to be in use: by an older build, or in a step that was cut off. */
const ROUNDABOUT = 250

/** Longer than anything is left that a sweep would not find: also of builds that say no more than that a system is used. */
const USED_MS = 60_000

/** A system that is or was just used, and a deadline that comes. */
export const WANTS_OF_SYSTEMS: readonly Want[] = [
  wantedIfAny(ACTIVE_KEY),
  { key: SYSTEMS_KEY, when: 'since', than: USED_MS },
  wantedBy(DUE_KEY),
]

/**
 * Which systems there are, and of which something is to be done: what looks for it asks these, and not each of 200,000 systems. An
 * index is in a slot of its own, so no step can write it; it is written before the step, and read for longer than that can take.
 */
export class SystemIndex {
  private readonly steps: Steps<'enlist' | 'settle'>
  private readonly touched = new LRUCache<string, number>({ max: MAX_KNOWN })
  /** What is being said, by system. */
  private readonly saying = new Map<string, Promise<void>>()
  private readonly dueKnown = new LRUCache<string, number>({ max: MAX_KNOWN })

  constructor(
    private readonly redis: RedisClient,
    private readonly retentionMs: number,
  ) {
    this.steps = defineSteps(redis, {
      beside: import.meta.url,
      prefix: 'gone',
      names: ['enlist', 'settle'],
      keyCount: 1,
    })
  }

  /**
   * Says that a system is in use. To be sent before the step that uses it.
   *
   * @returns what that has to wait for; undefined where it was said not long ago: in a Cluster the nodes that keep the indexes may be
   * away, and those of the system well
   */
  touch(system: string): Promise<void> | undefined {
    const nowMs = performance.now()
    const sinceMs = nowMs - (this.touched.get(system) ?? Number.NEGATIVE_INFINITY)
    if (sinceMs < TOUCH_MS) return undefined
    const said = this.saying.get(system) ?? this.say(system, nowMs)
    if (sinceMs >= SAID_WITHIN_MS) return said
    said.catch(() => undefined)
    return undefined
  }

  private say(system: string, nowMs: number): Promise<void> {
    const keptMs = this.retentionMs === 0 ? 0 : this.retentionMs + 60_000
    const name = escapePart(system)
    const said = Promise.all([
      this.steps.enlist(SYSTEMS_KEY, name, keptMs),
      this.steps.enlist(ACTIVE_KEY, name, 0),
    ])
      .then(() => void this.touched.set(system, nowMs))
      .finally(() => this.saying.delete(system))
    this.saying.set(system, said)
    return said
  }

  /** Says that a system may have overdue rounds. To be sent before the step that makes one so. */
  noteOverdue(system: string): Promise<unknown> {
    return this.steps.enlist(OVERDUE_KEY, escapePart(system), 0)
  }

  /** Forgets what was said: the store may have lost it. */
  forget(): void {
    this.touched.clear()
    this.dueKnown.clear()
  }

  /** A walk over those in use, and some of all others. */
  walk(): SystemWalk {
    return new SystemWalk(this.redis)
  }

  /** Those whose deadline has come, as many as are looked at at once, but for the first `skipped`; and when the next one comes. */
  async dueBy(
    nowMs: number,
    skipped: number,
  ): Promise<{ readonly due: readonly Indexed[]; readonly isLast: boolean; readonly nextMs: number }> {
    const [flat, next] = await Promise.all([
      this.redis.zrangebyscore(DUE_KEY, '-inf', String(nowMs), 'WITHSCORES', 'LIMIT', skipped, WINDOW),
      this.redis.zrangebyscore(DUE_KEY, `(${nowMs}`, '+inf', 'WITHSCORES', 'LIMIT', 0, 1),
    ])
    const due = indexedOf(flat)
    const nextMs = indexedOf(next)[0]?.score ?? Number.POSITIVE_INFINITY
    return { due, isLast: due.length < WINDOW, nextMs }
  }

  /** Notes when the next deadline of a system comes, unless an earlier one is noted. */
  async noteDue(system: string, atMs: number): Promise<void> {
    if (this.dueKnown.get(system) === atMs) return
    await this.redis.zadd(DUE_KEY, 'LT', atMs, escapePart(system))
    this.dueKnown.set(system, atMs)
  }

  /** Notes when the next deadline comes of one whose last one has been dealt with. */
  async settleDue({ system, score }: Indexed, nextMs: number): Promise<void> {
    const next = nextMs === Number.POSITIVE_INFINITY ? '' : nextMs
    await this.steps.settle(DUE_KEY, escapePart(system), score, next)
    this.dueKnown.delete(system)
  }

  /** Looks no more at a system that has nothing to be done and has not been used of late. */
  async rest({ system, score }: Indexed, nowMs: number): Promise<void> {
    if (nowMs - score > ACTIVE_MS) await this.steps.settle(ACTIVE_KEY, escapePart(system), score, '')
  }

  /** Those that may have overdue rounds. */
  async overdue(): Promise<readonly Indexed[]> {
    return indexedOf(await this.redis.zrange(OVERDUE_KEY, '0', '-1', 'WITHSCORES'))
  }

  /** Counts a system's overdue rounds no more, unless it got one of late. */
  async restOverdue({ system, score }: Indexed, nowMs: number): Promise<void> {
    if (nowMs - score > OVERDUE_MS) await this.steps.settle(OVERDUE_KEY, escapePart(system), score, '')
  }

  /** All of them, the one last used first, few and then more at a time: as a rule the first are enough. */
  async *latest(): AsyncGenerator<readonly Indexed[]> {
    for (let from = 0, count = FIRST_LATEST; ; from += count, count = Math.min(2 * count, WINDOW)) {
      const flat = await this.redis.zrevrange(
        SYSTEMS_KEY,
        String(from),
        String(from + count - 1),
        'WITHSCORES',
      )
      const page = indexedOf(flat)
      if (page.length > 0) yield page
      if (page.length < count) return
    }
  }

  /** All of them, the one last used last: one that is used meanwhile comes later, and none is left out. */
  async *all(): AsyncGenerator<readonly Indexed[]> {
    let [from, count] = [Number.NEGATIVE_INFINITY, WINDOW]
    for (;;) {
      const since = from === Number.NEGATIVE_INFINITY ? '-inf' : String(from)
      const flat = await this.redis.zrangebyscore(SYSTEMS_KEY, since, '+inf', 'WITHSCORES', 'LIMIT', 0, count)
      const page = indexedOf(flat)
      if (page.length > 0) yield page
      if (page.length < count) return
      const last = page.at(-1)?.score ?? from
      // More than fit were used in one moment.
      count = last === from ? 2 * count : WINDOW
      from = last
    }
  }
}

/** Goes round, a stretch at a time, and begins anywhere: two servers are rarely at the same place. */
export class SystemWalk {
  private at = Math.floor(Math.random() * WINDOW)
  private allAt = 0
  /** True once it has come by each of all. */
  hasGoneRound = false

  constructor(private readonly redis: RedisClient) {}

  /** The next stretch; `isRound` where it was the last of a round. */
  async next(): Promise<{
    readonly active: readonly Indexed[]
    readonly others: readonly Indexed[]
    readonly isRound: boolean
  }> {
    const count = await this.redis.zcard(ACTIVE_KEY)
    if (count <= WINDOW || this.at >= count) this.at = 0
    const [active, others] = await Promise.all([
      this.redis.zrange(ACTIVE_KEY, String(this.at), String(this.at + WINDOW - 1), 'WITHSCORES'),
      this.redis.zrange(SYSTEMS_KEY, String(this.allAt), String(this.allAt + ROUNDABOUT - 1), 'WITHSCORES'),
    ])
    this.at += WINDOW
    const found = indexedOf(active)
    const known = new Set(found.map(({ system }) => system))
    const rest = indexedOf(others)
    if (rest.length < ROUNDABOUT) this.hasGoneRound = true
    this.allAt = rest.length < ROUNDABOUT ? 0 : this.allAt + ROUNDABOUT
    return {
      active: found,
      others: rest.filter(({ system }) => !known.has(system)),
      isRound: this.at >= count,
    }
  }
}

function indexedOf(flat: readonly string[]): Indexed[] {
  const found: Indexed[] = []
  for (let index = 0; index < flat.length; index += 2)
    found.push({ system: unescapePart(String(flat[index])), score: Number(flat[index + 1]) })
  return found
}
