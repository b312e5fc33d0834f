import {
  ALERT_KINDS,
  type Alert,
  type AlertKind,
  type AlertNews,
  type AlertState,
} from '../../core/alerts/alert.ts'
import type {
  Alerts,
  AlertsOutboxEntry,
  Expectation,
  ExpectationRecord,
  FleetFact,
  Look,
  TakenWatch,
  WatchId,
  WatchName,
} from '../../core/alerts/alert-ports.ts'
import type { FollowedSlot } from '../../core/alerts/expectation.ts'
import { attempt } from '../../redis/attempt.ts'
import type { RedisClient } from '../../redis/connections.ts'
import { redisNowMs } from '../../redis/redis-clock.ts'
import { type Argument, defineSteps, type Steps } from '../../redis/steps.ts'
import { type Want, wantedBy, wantedIfAny } from '../../redis/wants.ts'
import {
  countNeededMs,
  FLEET_SYSTEM,
  FLEET_WATCH,
  fleetFactsIn,
  indexName,
  MAX_ADOPTED_AGO_MS,
  parseIndexName,
  parseWatchKey,
  watchKey,
} from './watch-key.ts'

const STEPS = ['put', 'adopt', 'drop', 'take', 'record', 'note'] as const
type StepName = (typeof STEPS)[number]

/** One Cluster slot for all of it. No system's name is escaped to one with a "~", so these are nobody's records. */
const KEY = (name: string) => `gone:{~alerts}:${name}`
const EXPECTATIONS = KEY('expectations')
const NAMES = KEY('names')
const DUE = KEY('due')
const PROGRESS = KEY('progress')
const ALERTS = KEY('alerts')
const OPEN = KEY('open')
const OPENED = KEY('opened')
const RESOLVED = KEY('resolved')
const ENDED = KEY('ended')
const OUTBOX = KEY('outbox')
const COUNTER = KEY('counter')
const COUNTED = KEY('counted')
/** In the order that alerts.lua gives. */
const KEYS = [
  EXPECTATIONS,
  NAMES,
  DUE,
  PROGRESS,
  ALERTS,
  OPEN,
  OPENED,
  RESOLVED,
  ENDED,
  OUTBOX,
  COUNTER,
  COUNTED,
]

/** A watch that is to be looked at, and news that nobody has queued. */
export const WANTS_OF_ALERTS: readonly Want[] = [wantedBy(DUE), wantedIfAny(OUTBOX)]

/** Alerts in Redis: one Lua script a step. */
export class RedisAlerts implements Alerts {
  private readonly steps: Steps<StepName>

  constructor(
    private readonly redis: RedisClient,
    private readonly retentionMs: number,
  ) {
    this.steps = defineSteps(redis, {
      beside: import.meta.url,
      prelude: 'alerts',
      names: STEPS,
      prefix: 'gone_alerts',
      keyCount: KEYS.length,
    })
  }

  async put(name: WatchName, expectation: Expectation) {
    return attempt(`keep the expectation ${name.system}/${name.name}`, async () => {
      const [verdict, nowMs, text] = await this.step('put', [
        watchKey({ ...name, of: 'expectation' }),
        indexName(name),
        JSON.stringify(expectation),
        countNeededMs(expectation),
      ])
      const record = recordOf(name, String(text))
      return { verdict: verdict as 'created' | 'replaced' | 'unchanged', record, nowMs: Number(nowMs) }
    })
  }

  async expectation(name: WatchName) {
    return attempt(`read the expectation ${name.system}/${name.name}`, async () => {
      const [text, nowMs] = await Promise.all([
        this.redis.hget(EXPECTATIONS, watchKey({ ...name, of: 'expectation' })),
        redisNowMs(this.redis),
      ])
      return { nowMs, ...(text !== null && { record: recordOf(name, text) }) }
    })
  }

  async expectations({ system, after, limit }: { system?: string; after?: WatchName; limit: number }) {
    return attempt('list the expectations', async () => {
      const from = after
        ? `(${indexName(after)}`
        : system === undefined
          ? '-'
          : `[${indexName({ system, name: '' })}`
      // '"' is what follows '!', which ends the system in these names.
      const to = system === undefined ? '+' : `(${indexName({ system, name: '' }).slice(0, -1)}"`
      const [members, nowMs] = await Promise.all([
        this.redis.zrangebylex(NAMES, from, to, 'LIMIT', 0, limit + 1),
        redisNowMs(this.redis),
      ])
      const names = members.map(parseIndexName)
      const page = names.slice(0, limit)
      const keys = page.map((name) => watchKey({ ...name, of: 'expectation' }))
      const texts = keys.length > 0 ? await this.redis.hmget(EXPECTATIONS, ...keys) : []
      const records = page.flatMap((name, index) => {
        const text = texts[index]
        return text ? [recordOf(name, text)] : []
      })
      const next = names.length > limit ? page.at(-1) : undefined
      return { records, nowMs, ...(next && { next }) }
    })
  }

  async adopt(name: WatchName, sinceMs: number): Promise<void> {
    await attempt(`watch the schedule ${name.system}/${name.name}`, () =>
      this.step('adopt', [watchKey({ ...name, of: 'schedule' }), Math.floor(sinceMs), MAX_ADOPTED_AGO_MS]),
    )
  }

  async drop(id: WatchId, resolution: string, tells: boolean): Promise<readonly AlertNews[] | undefined> {
    return attempt(`stop watching ${id.system}/${id.name}`, async () => {
      const [verdict, , told] = await this.step('drop', [
        watchKey(id),
        indexName(id),
        resolution,
        tells ? 1 : 0,
      ])
      return verdict === 'notWatched' ? undefined : newsOf(told)
    })
  }

  async watched(of: WatchId['of']): Promise<readonly WatchName[]> {
    return attempt('list what is watched', async () =>
      (await this.redis.hkeys(PROGRESS)).map(parseWatchKey).filter((id) => id.of === of),
    )
  }

  async counted(): Promise<ReadonlyMap<string, number>> {
    return attempt('list the systems that are counted', async () => {
      const counted = new Map<string, number>()
      for (const [key, ms] of Object.entries(await this.redis.hgetall(COUNTED))) {
        const { system } = parseWatchKey(key)
        counted.set(system, Math.max(Number(ms), counted.get(system) ?? 0))
      }
      return counted
    })
  }

  async take(limit: number, holdMs: number) {
    return attempt('take what is due to be looked at', async () => {
      const [nowMs, taken] = await this.step('take', [limit, holdMs])
      const watches = (taken as [string, string, string | null][]).map(takenOf)
      return { watches, nowMs: Number(nowMs) }
    })
  }

  async record({ id, version }: TakenWatch, look: Look, tells: boolean) {
    return attempt(`record how ${id.system}/${id.name} goes`, async () => {
      const { progress, news, nextLookMs } = look
      const [verdict, , told] = await this.step('record', [
        watchKey(id),
        id.system,
        id.name,
        version,
        Math.floor(progress.cursorMs),
        JSON.stringify(progress.slots),
        Math.ceil(nextLookMs),
        JSON.stringify(news),
        tells ? 1 : 0,
      ])
      return verdict === 'recorded' ? newsOf(told) : undefined
    })
  }

  async note({ kind, name, isWrong, sinceMs, detail }: FleetFact, tells: boolean) {
    return attempt('note what is wrong with the fleet', async () => {
      const [verdict, , told] = await this.step('note', [
        FLEET_WATCH + name,
        FLEET_SYSTEM,
        name,
        kind,
        isWrong ? 1 : 0,
        new Date(sinceMs).toISOString(),
        detail,
        tells ? 1 : 0,
      ])
      return verdict === 'recorded' ? newsOf(told)[0] : undefined
    })
  }

  async noted() {
    return attempt('list what is wrong with the fleet', async () =>
      fleetFactsIn(await this.redis.hkeys(OPEN)),
    )
  }

  async alerts({ state, after, limit }: { state?: AlertState; after?: string; limit: number }) {
    return attempt('list the alerts', async () => {
      const below = after === undefined ? '+inf' : `(${after}`
      const indexes = state === undefined ? [OPENED, RESOLVED] : [state === 'open' ? OPENED : RESOLVED]
      const [nowMs, ...pages] = await Promise.all([
        redisNowMs(this.redis),
        ...indexes.map((index) => this.redis.zrevrangebyscore(index, below, '-inf', 'LIMIT', 0, limit + 1)),
      ])
      const ids = pages.flat().sort((a, b) => Number(b) - Number(a))
      const page = ids.slice(0, limit)
      const texts = page.length > 0 ? await this.redis.hmget(ALERTS, ...page) : []
      const next = ids.length > limit ? page.at(-1) : undefined
      return { alerts: texts.flatMap((text) => (text ? [alertOf(text)] : [])), nowMs, ...(next && { next }) }
    })
  }

  async openCounts(): Promise<Readonly<Record<AlertKind, number>>> {
    return attempt('count the open alerts', async () => {
      const counts = Object.fromEntries(ALERT_KINDS.map((kind) => [kind, 0])) as Record<AlertKind, number>
      for (const key of await this.redis.hkeys(OPEN)) {
        const kind = ALERT_KINDS.find((known) => key.endsWith(`~${known}`))
        if (kind) counts[kind] += 1
      }
      return counts
    })
  }

  async outbox(ageMs: number, limit: number): Promise<readonly AlertsOutboxEntry[]> {
    return attempt('read the outbox of alerts', async () => {
      const before = (await redisNowMs(this.redis)) - ageMs
      const entries = await this.redis.zrangebyscore(OUTBOX, '-inf', before, 'LIMIT', 0, limit)
      const ids = entries.map((entry) => entry.split('-')[0] ?? '')
      const texts = ids.length > 0 ? await this.redis.hmget(ALERTS, ...ids) : []
      return entries.map((entry, index) => {
        const event = entry.endsWith('-opened') ? 'opened' : 'resolved'
        const text = texts[index]
        return { entry, ...(text && { news: { event, alert: alertOf(text) } }) }
      })
    })
  }

  async isUnqueued(entry: string): Promise<boolean> {
    return attempt(
      'look for an alert in the outbox',
      async () => (await this.redis.zscore(OUTBOX, entry)) !== null,
    )
  }

  async acknowledge(entry: string): Promise<void> {
    await attempt('acknowledge an alert', () => this.redis.zrem(OUTBOX, entry))
  }

  private step(name: StepName, own: Argument[]): Promise<unknown[]> {
    return this.steps[name](...KEYS, this.retentionMs, ...own)
  }
}

function recordOf(name: WatchName, text: string): ExpectationRecord {
  const { expectation, createdAtMs, updatedAtMs } = JSON.parse(text) as {
    expectation: string
    createdAtMs: number
    updatedAtMs: number
  }
  return { ...name, expectation: JSON.parse(expectation) as Expectation, createdAtMs, updatedAtMs }
}

function takenOf([key, progress, record]: [string, string, string | null]): TakenWatch {
  const [, version, cursorMs, slots] = /^(\d+) (\d+) (.*)$/s.exec(progress) ?? []
  const { of, system, name } = parseWatchKey(key)
  return {
    id: { of, system, name },
    version: Number(version),
    progress: { cursorMs: Number(cursorMs), slots: JSON.parse(slots ?? '[]') as readonly FollowedSlot[] },
    ...(record !== null && { record: recordOf({ system, name }, record) }),
  }
}

function newsOf(told: unknown): readonly AlertNews[] {
  return (told as [AlertNews['event'], string][]).map(([event, text]) => ({ event, alert: alertOf(text) }))
}

/** As the scripts write it, which keep the time of the last bad slot beside. */
function alertOf(text: string): Alert {
  const { lastDueMs: _, ...alert } = JSON.parse(text) as Alert & { lastDueMs: number }
  return alert
}
