import { randomBytes } from 'node:crypto'
import { DEATH_KEPT_MS, type Death } from '../../core/fleet/death.ts'
import type { Fleet, FleetChange, NewRevision, Pulse, PulseReply } from '../../core/fleet/fleet-ports.ts'
import { type Instance, type InstanceFacts, KEPT_ENDED_MS } from '../../core/fleet/instance.ts'
import type { OrderRecord, OrderTask, OutcomeKind } from '../../core/fleet/order.ts'
import { RECYCLING } from '../../core/fleet/restart.ts'
import { KEPT_REVISIONS, type SettingsTarget } from '../../core/fleet/worker-settings.ts'
import { attempt } from '../../redis/attempt.ts'
import type { RedisClient } from '../../redis/connections.ts'
import { redisNowMs } from '../../redis/redis-clock.ts'
import { type Argument, defineSteps, type Steps } from '../../redis/steps.ts'
import { type Want, wantedBy } from '../../redis/wants.ts'
import {
  byTarget,
  keptOrderOf,
  orderOf,
  outcomeOf,
  rowOf,
  settingsOf,
  statsOf,
  statsText,
  tallyOf,
  targetText,
} from './fleet-text.ts'

const STEPS = [
  'pulse',
  'leave',
  'die',
  'recycle',
  'spare',
  'reap',
  'judge',
  'order',
  'claim',
  'report',
  'expire',
  'configure',
] as const
type StepName = (typeof STEPS)[number]

/** One Cluster slot for all of it. No system's name is escaped to one with a "~", so these are nobody's records. */
const KEY = (name: string) => `gone:{~fleet}:${name}`
const LEASES = KEY('leases')
const INSTANCES = KEY('instances')
const STATS = KEY('stats')
const ENDED = KEY('ended')
const EVENTS = KEY('events')
const COUNTS = KEY('counts')
const ORDERS = KEY('orders')
const GIVEN = KEY('given')
const OUTCOMES = KEY('outcomes')
const DUE = KEY('due')
const CONFIG = KEY('config')
/** In the order that fleet.lua gives. */
const KEYS = [
  LEASES,
  INSTANCES,
  STATS,
  KEY('wanted'),
  ENDED,
  EVENTS,
  COUNTS,
  ORDERS,
  GIVEN,
  OUTCOMES,
  DUE,
  CONFIG,
  KEY('recycles'),
]

/** Rows read at once, so that no command holds Redis up. */
const PAGE = 500
const MOST_ENDED = 10_000
const MOST_ORDERS = 10_000
const MOST_TARGETS = 1_000

/** `~touched` and `~grace`, which the steps note among the leases. */
const NOTES = 2

/** An instance, one that is to be forgotten, and an order whose time is over. */
export const WANTS_OF_FLEET: readonly Want[] = [
  { key: LEASES, when: 'others', than: NOTES },
  wantedBy(ENDED, KEPT_ENDED_MS),
  wantedBy(DUE),
]

/** The registry in Redis: one Lua script a step. */
export class RedisFleet implements Fleet {
  private readonly steps: Steps<StepName>

  constructor(private readonly redis: RedisClient) {
    this.steps = defineSteps(redis, {
      beside: import.meta.url,
      prelude: 'fleet',
      names: STEPS,
      prefix: 'gone_fleet',
      keyCount: KEYS.length,
    })
  }

  async pulse(pulses: readonly Pulse[], leaseMs: number): Promise<readonly PulseReply[]> {
    return attempt('report what runs here', async () => {
      const own = pulses.flatMap(({ id, facts, stats, known }) => [
        id,
        facts ? JSON.stringify(facts) : '',
        stats ? statsText(stats) : '',
        known,
      ])
      const [nowMs, settings, ...replies] = await this.step('pulse', [leaseMs, freshEpoch(), ...own])
      return (replies as [number, number, string][]).map(([isUnknown, revision, tasks]) => ({
        nowMs: Number(nowMs),
        isUnknown: isUnknown === 1,
        ...(Number(settings) > 0 && { settings: Number(settings) }),
        ...(tasks !== '' && { orders: { revision, tasks: JSON.parse(tasks) as readonly OrderTask[] } }),
      }))
    })
  }

  async leave(id: string): Promise<void> {
    await attempt('take an instance off the list', () => this.step('leave', [id]))
  }

  async die(facts: InstanceFacts, death: Death): Promise<void> {
    await attempt('note a death', async () => {
      await this.redis.set(deathKey(facts.id), JSON.stringify(death), 'PX', DEATH_KEPT_MS)
      await this.step('die', [facts.id, JSON.stringify(facts)])
    })
  }

  async mayRecycle(workers: readonly string[]): Promise<boolean> {
    const { apartMs, windowMs, most } = RECYCLING
    return attempt('ask whether an instance may be ended', async () => {
      return (await this.step('recycle', [apartMs, windowMs, most, ...workers]))[0] === 1
    })
  }

  async spare(facts: InstanceFacts, least: number, isNoted: boolean): Promise<boolean> {
    const names = facts.workers.map(({ name }) => name)
    return attempt('ask whether others take its jobs', async () => {
      const text = isNoted ? JSON.stringify(facts) : ''
      const region = facts.regional ? `"region":${JSON.stringify(facts.region)}` : ''
      return (await this.step('spare', [facts.id, least, text, region, ...names]))[0] === 1
    })
  }

  async death(id: string): Promise<Death | undefined> {
    return attempt('read of a death', async () => {
      const text = await this.redis.get(deathKey(id))
      return text === null ? undefined : (JSON.parse(text) as Death)
    })
  }

  async reap(keepMs: number): Promise<number> {
    return attempt('look for lost instances', async () => this.whole('reap', [keepMs, MOST_ENDED]))
  }

  async judge(id: string, stuckSinceMs: number | undefined): Promise<void> {
    await attempt('mark an instance', () => this.step('judge', [id, Math.floor(stuckSinceMs ?? 0)]))
  }

  async snapshot() {
    return attempt('list the instances', async () => {
      // The count comes first: what changes meanwhile is heard again, and told from what is older by its number.
      const [, [seq, epoch], nowMs] = await Promise.all([
        this.redis.hsetnx(COUNTS, 'epoch', freshEpoch()),
        this.counts(),
        redisNowMs(this.redis),
      ])
      const instances: Instance[] = []
      let cursor = '0'
      do {
        const [next, flat] = await this.redis.hscan(INSTANCES, cursor, 'COUNT', PAGE)
        instances.push(...(await this.withStats(flat)))
        cursor = next
      } while (cursor !== '0')
      // A scan may tell one row twice.
      const byId = new Map(instances.map((instance) => [instance.id, instance]))
      return { nowMs, change: seq, epoch, instances: [...byId.values()] }
    })
  }

  async latest() {
    return attempt('read how far the fleet has changed', async () => {
      const [[change, epoch], nowMs] = await Promise.all([this.counts(), redisNowMs(this.redis)])
      return { change, epoch, nowMs }
    })
  }

  async tally() {
    return attempt('read what has happened in the fleet', async () => {
      const [counts, touched, some, nowMs] = await Promise.all([
        this.redis.hgetall(COUNTS),
        this.redis.zscore(LEASES, '~touched'),
        this.redis.zrange(LEASES, '0', String(NOTES)),
        redisNowMs(this.redis),
      ])
      // Where nobody is listed, nobody has to look.
      const isTold = touched !== null && some.some((id) => !id.startsWith('~'))
      return { nowMs, ...(isTold && { touchedAtMs: Number(touched) }), ...tallyOf(counts) }
    })
  }

  async instance(id: string) {
    return attempt('read an instance', async () => {
      const [row, nowMs] = await Promise.all([this.redis.hget(INSTANCES, id), redisNowMs(this.redis)])
      const [instance] = row === null ? [] : await this.withStats([id, row])
      return { nowMs, ...(instance && { instance }) }
    })
  }

  async changes(after: { change: number; epoch: string }, limit: number) {
    return attempt('read what has changed', async () => {
      const [seq, epoch] = await this.counts()
      if (epoch !== after.epoch || seq < after.change) return { isReset: true, changes: [] }
      if (seq === after.change) return { isReset: false, changes: [] }
      const changes = await this.newest(seq, after.change)
      const wanted = changes.filter(({ number }) => number > after.change).slice(0, limit)
      return wanted[0]?.number === after.change + 1
        ? { isReset: false, changes: wanted }
        : { isReset: true, changes: [] }
    })
  }

  /** Those after this one and maybe some before it, oldest first: events have no gap, so they are the newest so many. */
  private async newest(seq: number, after: number): Promise<readonly FleetChange[]> {
    let last = seq
    for (;;) {
      const count = last - after
      const entries = await this.redis.xrevrange(EVENTS, '+', '-', 'COUNT', count)
      const changes = entries.map(([, fields]) => changeOf(fields)).reverse()
      const [oldest, newest] = [changes[0], changes.at(-1)]
      const areAll = oldest === undefined || oldest.number <= after + 1 || entries.length < count
      if (areAll || newest === undefined || newest.number <= last) return changes
      // More came meanwhile, and pushed out what is wanted.
      last = newest.number
    }
  }

  async order(order: OrderRecord, keepMs: number, halved: readonly string[] = []) {
    const { id, outcomes, untilMs, givenAtMs } = order
    return attempt('give an order', async () => {
      const [, worker, left, serving] = await this.step('order', [
        id,
        JSON.stringify(keptOrderOf(order)),
        JSON.stringify({ ...order.task, order: id }),
        untilMs - givenAtMs,
        keepMs,
        MOST_ORDERS,
        JSON.stringify(halved),
        ...Object.keys(outcomes),
      ])
      if (worker === undefined) return undefined
      return { worker: String(worker), left: Number(left), serving: Number(serving) }
    })
  }

  async claim(order: string, id: string): Promise<boolean> {
    return attempt('ask whether to obey', async () => (await this.step('claim', [order, id]))[0] === 1)
  }

  async report(order: string, id: string, outcome: OutcomeKind, detail: string): Promise<void> {
    await attempt('report on an order', () => this.step('report', [order, id, outcome, detail]))
  }

  async configure(target: SettingsTarget, revision: NewRevision): Promise<boolean> {
    return attempt('set what is said of a worker', async () => {
      const { actor, reason, settings } = revision
      const text = JSON.stringify({ actor, reason, settings })
      const own = [targetText(target), text, KEPT_REVISIONS, MOST_TARGETS]
      return (await this.step('configure', own))[1] !== 0
    })
  }

  async settings() {
    return attempt('read what is said of workers', async () => {
      const [texts, nowMs] = await Promise.all([this.redis.hgetall(CONFIG), redisNowMs(this.redis)])
      return {
        nowMs,
        all: Object.entries(texts)
          .map(([target, text]) => settingsOf(target, text))
          .sort(byTarget),
      }
    })
  }

  async expire(): Promise<number> {
    return attempt('end orders whose time is over', () => this.whole('expire', []))
  }

  async orderRecord(id: string) {
    return attempt('read an order', async () => {
      const [text, nowMs] = await Promise.all([this.redis.hget(ORDERS, id), redisNowMs(this.redis)])
      const [order] = text === null ? [] : await this.ordersOf([[id, text]])
      return { nowMs, ...(order && { order }) }
    })
  }

  async orders({ after, limit }: { after?: string; limit: number }) {
    return attempt('list the orders', async () => {
      const nowMs = await redisNowMs(this.redis)
      const from = after === undefined ? 0 : ((await this.redis.zrevrank(GIVEN, after)) ?? -1) + 1
      const ids = await this.redis.zrevrange(GIVEN, from, from + limit)
      const page = ids.slice(0, limit)
      const texts = page.length > 0 ? await this.redis.hmget(ORDERS, ...page) : []
      const kept = page.flatMap((id, index): [string, string][] => {
        const text = texts[index]
        return text ? [[id, text]] : []
      })
      const next = ids.length > limit ? page.at(-1) : undefined
      return { orders: await this.ordersOf(kept), nowMs, ...(next !== undefined && { next }) }
    })
  }

  private async ordersOf(kept: readonly [string, string][]): Promise<readonly OrderRecord[]> {
    return Promise.all(
      kept.map(async ([id, text]) => {
        const order = orderOf(id, text)
        const fields = order.instances.map((instance) => `${id} ${instance}`)
        const outcomes = fields.length > 0 ? await this.redis.hmget(OUTCOMES, ...fields) : []
        return {
          ...order.record,
          outcomes: Object.fromEntries(
            order.instances.map((instance, index) => [instance, outcomeOf(outcomes[index] ?? undefined)]),
          ),
        }
      }),
    )
  }

  private async withStats(flat: readonly string[]): Promise<readonly Instance[]> {
    const ids = flat.filter((_, index) => index % 2 === 0)
    if (ids.length === 0) return []
    const stats = await this.redis.hmget(STATS, ...ids)
    return ids.map((id, index) => {
      const text = stats[index]
      const read = text ? statsOf(text) : undefined
      return { ...rowOf(id, flat[index * 2 + 1] as string), ...(read && { stats: read }) }
    })
  }

  private async counts(): Promise<readonly [number, string]> {
    const [seq, epoch] = await this.redis.hmget(COUNTS, 'seq', 'epoch')
    return [Number(seq ?? 0), epoch ?? '']
  }

  /** Takes a step until there is no more to do. */
  private async whole(name: StepName, own: Argument[]): Promise<number> {
    let sum = 0
    for (;;) {
      const [count, isMore] = await this.step(name, own)
      sum += Number(count)
      if (isMore !== 1) return sum
    }
  }

  private step(name: StepName, own: Argument[]): Promise<unknown[]> {
    return this.steps[name](...KEYS, ...own)
  }
}

/** A key each, because only these end by themselves. */
function deathKey(id: string): string {
  return KEY(`death:${id}`)
}

function changeOf([, number, , id = '', , row = '']: string[]): FleetChange {
  return { number: Number(number), id, ...(row !== '' && { instance: rowOf(id, row) }) }
}

function freshEpoch(): string {
  return randomBytes(6).toString('base64url')
}
