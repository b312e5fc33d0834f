import type { Death } from '../../core/fleet/death.ts'
import type { Fleet, FleetChange, NewRevision, Pulse, PulseReply } from '../../core/fleet/fleet-ports.ts'
import {
  type EndKind,
  type Instance,
  type InstanceFacts,
  type InstanceStats,
  stateOf,
} from '../../core/fleet/instance.ts'
import {
  type OrderOutcome,
  type OrderRecord,
  type OrderTask,
  type OutcomeKind,
  takesAway,
} from '../../core/fleet/order.ts'
import { RECYCLING } from '../../core/fleet/restart.ts'
import { KEPT_REVISIONS, type SettingsTarget, type TargetSettings } from '../../core/fleet/worker-settings.ts'
import { byTarget, tallyOf, targetText } from './fleet-text.ts'

/** As in fleet.lua. */
const SILENCE_MS = 3_000
const GRACE_MS = 10_000
const DIED_LONGER_MS = 23 * 3_600_000

interface Row {
  readonly id: string
  readonly facts: InstanceFacts
  readonly startedAtMs: number
  readonly change: number
  readonly end?: { readonly kind: EndKind; readonly atMs: number }
  readonly stuckSinceMs?: number
}

interface Wanted {
  readonly revision: number
  readonly tasks: readonly OrderTask[]
}

/** The registry in memory, by the rules of the Lua scripts: for tests without Redis. */
export class MemoryFleet implements Fleet {
  private readonly rows = new Map<string, Row>()
  private readonly leases = new Map<string, number>()
  private readonly stats = new Map<string, InstanceStats>()
  private readonly wanted = new Map<string, Wanted>()
  private readonly events: FleetChange[] = []
  private readonly kept = new Map<string, Omit<OrderRecord, 'outcomes'>>()
  private readonly outcomes = new Map<string, Map<string, OrderOutcome>>()
  private readonly counts: Record<string, number> = {}
  private seq = 0
  private revision = 0
  private readonly recycles = new Map<string, readonly number[]>()
  private readonly deaths = new Map<string, Death>()
  private readonly config = new Map<string, TargetSettings>()
  private configs = 0
  private touchedMs: number | undefined
  private graceUntilMs = 0

  /** @param mostEvents how many changes are kept for listeners */
  constructor(
    private readonly nowMs: () => number,
    private readonly mostEvents = 5_000,
  ) {}

  async pulse(pulses: readonly Pulse[], leaseMs: number): Promise<readonly PulseReply[]> {
    const nowMs = this.touch()
    return pulses.map(({ id, facts, stats, known }) => {
      const row = this.rows.get(id)
      if (row === undefined && facts === undefined) {
        return { nowMs, isUnknown: true, ...(this.configs > 0 && { settings: this.configs }) }
      }
      if (row?.end === undefined || row.end.kind === 'lost') {
        const isNew = !row || row.end || (facts && JSON.stringify(facts) !== JSON.stringify(row.facts))
        if (isNew) {
          const { stuckSinceMs, startedAtMs = nowMs } = row ?? {}
          const told = (facts ?? row?.facts) as InstanceFacts
          this.change(id, { id, facts: told, startedAtMs, ...(stuckSinceMs && { stuckSinceMs }) })
        }
        this.leases.set(id, nowMs + leaseMs)
        if (stats) this.stats.set(id, stats)
      }
      const wanted = this.wanted.get(id)
      const orders = wanted ?? { revision: 0, tasks: [] }
      const settings = this.configs > 0 ? { settings: this.configs } : {}
      return { nowMs, isUnknown: false, ...settings, ...(orders.revision !== known && { orders }) }
    })
  }

  async leave(id: string): Promise<void> {
    const nowMs = this.touch()
    this.wanted.delete(id)
    const row = this.rows.get(id)
    if (row && row.end?.kind !== 'ended') this.finish(row, 'ended', nowMs)
  }

  async die(facts: InstanceFacts, death: Death): Promise<void> {
    const nowMs = this.touch()
    const { id } = facts
    this.wanted.delete(id)
    this.deaths.set(id, death)
    const row = this.rows.get(id) ?? { id, facts, startedAtMs: nowMs, change: 0 }
    if (row.end?.kind !== 'died') this.finish(row, 'died', nowMs)
  }

  async mayRecycle(workers: readonly string[]): Promise<boolean> {
    const nowMs = this.touch()
    const { apartMs, windowMs, most } = RECYCLING
    const timesOf = (worker: string) =>
      (this.recycles.get(worker) ?? []).filter((atMs) => nowMs - atMs < windowMs)
    const isRefused = workers.some((worker) => {
      const times = timesOf(worker)
      return times.length >= most || nowMs - (times.at(-1) ?? Number.NEGATIVE_INFINITY) < apartMs
    })
    if (isRefused) return false
    for (const worker of workers) this.recycles.set(worker, [...timesOf(worker), nowMs])
    return true
  }

  async spare(facts: InstanceFacts, least: number, isNoted: boolean): Promise<boolean> {
    this.touch()
    const { id, workers, regional, region } = facts
    const nowMs = this.nowMs()
    const lives = (one: string) => nowMs < this.graceUntilMs || (this.leases.get(one) ?? 0) >= nowMs
    const others = [...this.rows.values()].filter(
      (row) =>
        row.id !== id &&
        lives(row.id) &&
        stateOf(instanceOf(row)) === 'registered' &&
        (!regional || (row.facts.regional && row.facts.region === region)),
    )
    const isEnough = workers.every(({ name }) => {
      return others.filter((row) => row.facts.workers.some((one) => one.name === name)).length >= least
    })
    const row = this.rows.get(id)
    if (isEnough && isNoted && row && !row.end) this.change(id, { ...row, facts })
    return isEnough
  }

  async death(id: string): Promise<Death | undefined> {
    return this.deaths.get(id)
  }

  async reap(keepMs: number): Promise<number> {
    const nowMs = this.touch()
    let lost = 0
    for (const [id, untilMs] of nowMs >= this.graceUntilMs ? [...this.leases] : []) {
      const row = this.rows.get(id)
      if (untilMs >= nowMs || row === undefined) continue
      this.finish(row, 'lost', nowMs)
      lost += 1
    }
    for (const { id, end } of [...this.rows.values()]) {
      if (end === undefined || end.atMs > nowMs - keepMs - (end.kind === 'died' ? DIED_LONGER_MS : 0))
        continue
      this.wanted.delete(id)
      this.change(id, undefined)
    }
    return lost
  }

  async judge(id: string, stuckSinceMs: number | undefined): Promise<void> {
    const row = this.rows.get(id)
    if (row === undefined || row.end || row.stuckSinceMs === stuckSinceMs) return
    const { stuckSinceMs: _, ...rest } = row
    this.change(id, { ...rest, ...(stuckSinceMs !== undefined && { stuckSinceMs }) })
  }

  async snapshot() {
    const instances = [...this.rows.values()].map((row) => this.instanceOf(row))
    return { nowMs: this.nowMs(), change: this.seq, epoch: 'memory', instances }
  }

  async latest() {
    return { change: this.seq, epoch: 'memory', nowMs: this.nowMs() }
  }

  async tally() {
    const touched = this.touchedMs === undefined ? {} : { touchedAtMs: this.touchedMs }
    return { nowMs: this.nowMs(), ...touched, ...tallyOf(this.counts) }
  }

  async instance(id: string) {
    const row = this.rows.get(id)
    return { nowMs: this.nowMs(), ...(row && { instance: this.instanceOf(row) }) }
  }

  async changes(after: { change: number; epoch: string }, limit: number) {
    const isReset = { isReset: true, changes: [] }
    if (after.epoch !== 'memory' || after.change > this.seq) return isReset
    const changes = this.events.filter(({ number }) => number > after.change).slice(0, limit)
    if (after.change === this.seq) return { isReset: false, changes: [] }
    return changes[0]?.number === after.change + 1 ? { isReset: false, changes } : isReset
  }

  async order(order: OrderRecord, _keepMs?: number, halved: readonly string[] = []) {
    const nowMs = this.touch()
    const { id, outcomes, ...rest } = order
    if (this.kept.has(id)) return undefined
    const tooFew = halved
      .map((worker) => this.leftOf(worker, order))
      .find(({ left, serving }) => left * 2 < serving)
    if (tooFew) return tooFew
    const untilMs = nowMs + rest.untilMs - rest.givenAtMs
    this.kept.set(id, { ...rest, id, givenAtMs: nowMs, untilMs })
    this.outcomes.set(id, new Map())
    for (const instance of Object.keys(outcomes)) {
      const row = this.rows.get(instance)
      const isThere = row !== undefined && row.end === undefined
      if (isThere) this.want(instance, [...this.tasksOf(instance), { ...rest.task, order: id }])
      const detail = isThere ? '' : 'the instance has ended'
      this.note(id, instance, isThere ? 'waiting' : 'failed', detail)
    }
    return undefined
  }

  private leftOf(worker: string, { task, outcomes }: OrderRecord) {
    const serving = [...this.rows.values()].filter(
      (row) =>
        stateOf(instanceOf(row)) === 'registered' &&
        row.facts.workers.some(({ name }) => name === worker) &&
        !this.tasksOf(row.id).some(({ verb }) => takesAway(verb, row.facts)),
    )
    const left = serving.filter(({ id, facts }) => !(id in outcomes && takesAway(task.verb, facts)))
    return { worker, left: left.length, serving: serving.length }
  }

  async claim(order: string, id: string): Promise<boolean> {
    const kind = this.outcomes.get(order)?.get(id)?.kind
    if (kind === 'obeying') return true
    if (kind !== 'waiting') return false
    const isInTime = this.nowMs() < (this.kept.get(order)?.untilMs ?? 0)
    this.note(order, id, isInTime ? 'obeying' : 'expired', '')
    if (!isInTime) this.settle(order, id)
    return isInTime
  }

  async report(order: string, id: string, outcome: OutcomeKind, detail: string): Promise<void> {
    const kind = this.outcomes.get(order)?.get(id)?.kind
    if (kind === 'obeying' || kind === 'waiting') this.note(order, id, outcome, detail)
    this.settle(order, id)
  }

  async configure(target: SettingsTarget, revision: NewRevision): Promise<boolean> {
    const nowMs = this.touch()
    this.configs += 1
    const past = this.config.get(targetText(target))?.revisions ?? []
    const revisions = [{ ...revision, revision: this.configs, atMs: nowMs }, ...past].slice(0, KEPT_REVISIONS)
    this.config.set(targetText(target), { ...target, revisions })
    return true
  }

  async settings() {
    return { nowMs: this.nowMs(), all: [...this.config.values()].sort(byTarget) }
  }

  async expire(): Promise<number> {
    let expired = 0
    for (const [order, noted] of this.outcomes) {
      if (this.nowMs() < (this.kept.get(order)?.untilMs ?? 0)) continue
      for (const [id, { kind }] of noted) {
        const row = this.rows.get(id)
        const isThere = row !== undefined && row.end === undefined
        if (kind === 'waiting') {
          this.note(order, id, 'expired', '')
          expired += 1
        } else if (kind !== 'obeying' || isThere) continue
        else this.note(order, id, 'failed', 'the instance ended while it obeyed')
        this.settle(order, id)
      }
    }
    return expired
  }

  async orderRecord(id: string) {
    const kept = this.kept.get(id)
    return { nowMs: this.nowMs(), ...(kept && { order: this.recordOf(kept) }) }
  }

  async orders({ after, limit }: { after?: string; limit: number }) {
    const all = [...this.kept.values()].reverse()
    const from = after === undefined ? 0 : all.findIndex(({ id }) => id === after) + 1
    const page = all.slice(from, from + limit)
    const next = all.length > from + limit ? page.at(-1)?.id : undefined
    const orders = page.map((kept) => this.recordOf(kept))
    return { orders, nowMs: this.nowMs(), ...(next !== undefined && { next }) }
  }

  private touch(): number {
    const nowMs = this.nowMs()
    if (nowMs - (this.touchedMs ?? nowMs) > SILENCE_MS) this.graceUntilMs = nowMs + GRACE_MS
    this.touchedMs = nowMs
    return nowMs
  }

  private finish(row: Row, kind: EndKind, atMs: number): void {
    const { stuckSinceMs: _, ...rest } = row
    this.leases.delete(row.id)
    this.change(row.id, { ...rest, end: { kind, atMs } })
  }

  private change(id: string, row: Omit<Row, 'change'> | undefined): void {
    this.seq += 1
    if (row) this.rows.set(id, { ...row, change: this.seq })
    else {
      this.rows.delete(id)
      this.stats.delete(id)
      this.config.delete(targetText({ of: 'instance', name: id }))
    }
    const now = this.rows.get(id)
    this.events.push({ number: this.seq, id, ...(now && { instance: instanceOf(now) }) })
    if (this.events.length > this.mostEvents) this.events.splice(0, this.events.length - this.mostEvents)
  }

  private tasksOf(id: string): readonly OrderTask[] {
    return this.wanted.get(id)?.tasks ?? []
  }

  private want(id: string, tasks: readonly OrderTask[]): void {
    this.revision += 1
    this.wanted.set(id, { revision: this.revision, tasks })
  }

  private note(order: string, id: string, kind: OutcomeKind, detail: string): void {
    this.outcomes.get(order)?.set(id, { kind, atMs: this.nowMs(), detail })
    if (kind !== 'waiting' && kind !== 'obeying') this.count(order, id, kind)
  }

  private count(order: string, id: string, kind: OutcomeKind): void {
    const verb = this.kept.get(order)?.task.verb
    if (verb === undefined) return
    const workers = verb === 'restart' && kind === 'done' ? (this.rows.get(id)?.facts.workers ?? []) : []
    for (const field of [`order ${verb} ${kind}`, ...workers.map(({ name }) => `restart ${name}`)])
      this.counts[field] = (this.counts[field] ?? 0) + 1
  }

  private settle(order: string, id: string): void {
    const tasks = this.tasksOf(id)
    const rest = tasks.filter((task) => task.order !== order)
    if (rest.length < tasks.length) this.want(id, rest)
  }

  private recordOf(kept: Omit<OrderRecord, 'outcomes'>): OrderRecord {
    return { ...kept, outcomes: Object.fromEntries(this.outcomes.get(kept.id) ?? []) }
  }

  private instanceOf(row: Row): Instance {
    const stats = this.stats.get(row.id)
    return { ...instanceOf(row), ...(stats && { stats }) }
  }
}

function instanceOf({ facts, ...row }: Row): Instance {
  return { ...facts, ...row }
}
