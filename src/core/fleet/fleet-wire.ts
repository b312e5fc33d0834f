import { iso } from '../rounds/round-wire.ts'
import { type Death, type DeathCause, deathText, type MemorySample } from './death.ts'
import type { JobInHand } from './fleet-ports.ts'
import {
  compareInstances,
  compareKeys,
  type Instance,
  type InstanceState,
  sortKeyOf,
  stateOf,
} from './instance.ts'
import type { OrderRecord, OrderVerb, OutcomeKind } from './order.ts'
import type { Pressure } from './pressure.ts'
import type { Topology } from './topology.ts'
import type { SettingsTaken } from './worker-settings.ts'

/** One worker of an instance as it is answered. */
export interface InstanceWorkerJson {
  readonly name: string
  readonly slots: number
  readonly running: number
  readonly done: number
  readonly failed: number
  readonly lastTaken?: string
  /** Of what is set from one place: the revision that it has, or has refused and why. */
  readonly settings?: SettingsTaken
}

/** What is known of the death of an instance, as it is answered. */
export interface DeathJson {
  readonly cause: DeathCause
  /** For people. */
  readonly detail: string
  /** Missing where a signal ended it. */
  readonly exitCode?: number
  readonly signal?: string
  readonly livedMs: number
  readonly lines: readonly string[]
  readonly memory: readonly MemorySample[]
  readonly jobs: readonly { readonly worker: string; readonly system: string; readonly round: string }[]
}

export function deathJson({ code, signal, cause, livedMs, lines, memory, jobs }: Death): DeathJson {
  return {
    cause,
    detail: deathText({ code, signal, cause }),
    ...(code !== null && { exitCode: code }),
    ...(signal !== null && { signal }),
    livedMs,
    lines,
    memory,
    jobs: jobs.map(({ worker, round }) => ({ worker, ...round })),
  }
}

/** An instance as it is answered. Times are ISO 8601 and the store's. */
export interface InstanceJson {
  readonly id: string
  readonly state: InstanceState
  readonly workers: readonly InstanceWorkerJson[]
  readonly release: string
  readonly region: string
  readonly host: string
  readonly pid: number
  readonly version: string
  /** Under a supervisor: which of its places it has. */
  readonly place?: string
  /** Its supervisor has it take no jobs for now: it, or its host, has too much of this to do. */
  readonly pressure?: Pressure
  readonly startedAt: string
  /** Percent of a core. */
  readonly cpuPercent?: number
  readonly rssBytes?: number
  readonly loopDelayMs?: number
  readonly endedAt?: string
  readonly stuckSince?: string
  /** Of one that died, where it is asked for by its id. */
  readonly death?: DeathJson
  /** What it runs now, where it is asked for by its id. */
  readonly jobs?: readonly JobInHandJson[]
}

export interface JobInHandJson {
  readonly worker: string
  readonly system: string
  readonly round: string
  readonly since: string
}

export function jobInHandJson({ worker, round, sinceMs }: JobInHand): JobInHandJson {
  return { worker, ...round, since: iso(sinceMs) }
}

/** @example { id: 'k3v9', state: 'registered', workers: [{ name: 'mailer', slots: 4, running: 1, done: 17, failed: 0 }], … } */
export function instanceJson(instance: Instance): InstanceJson {
  const { id, workers, release, region, host, pid, version, place } = instance
  const { pressure, startedAtMs, stats, end, stuckSinceMs } = instance
  return {
    id,
    state: stateOf(instance),
    workers: workers.map(({ name, slots }) => {
      const { running = 0, done = 0, failed = 0, lastTakenAtMs } = stats?.workers[name] ?? {}
      const lastTaken = lastTakenAtMs === undefined ? {} : { lastTaken: iso(lastTakenAtMs) }
      const taken = instance.settings?.[name]
      return { name, slots, running, done, failed, ...lastTaken, ...(taken && { settings: taken }) }
    }),
    release,
    region,
    host,
    pid,
    version,
    ...(place !== undefined && { place }),
    ...(pressure !== undefined && !end && { pressure }),
    startedAt: iso(startedAtMs),
    ...(stats && { cpuPercent: stats.cpuPercent, rssBytes: stats.rssBytes, loopDelayMs: stats.loopDelayMs }),
    ...(end && { endedAt: iso(end.atMs) }),
    ...(stuckSinceMs !== undefined && !end && { stuckSince: iso(stuckSinceMs) }),
  }
}

/** What has changed, told to a listener. */
export interface FleetEventsJson {
  readonly events: readonly FleetEventJson[]
  /** Where to listen on. */
  readonly at: string
  readonly reset?: true
  readonly now: string
}

export interface FleetEventJson {
  readonly id: string
  /** As it is now; missing where it is not selected any more. */
  readonly instance?: InstanceJson
}

export interface TopologyJson extends Topology {
  readonly now: string
}

export interface OrderJson {
  readonly id: string
  readonly do: OrderVerb
  readonly worker?: string
  readonly slots?: number
  readonly actor: string
  readonly reason: string
  readonly selection: string
  readonly givenAt: string
  readonly until: string
  /** How many instances are where. */
  readonly outcomes: Readonly<Partial<Record<OutcomeKind, number>>>
  readonly instances: readonly {
    readonly id: string
    readonly outcome: OutcomeKind
    readonly at: string
    readonly detail?: string
  }[]
}

export function orderJson(order: OrderRecord): OrderJson {
  const { id, task, actor, reason, selection, givenAtMs, untilMs, outcomes } = order
  const counts: Partial<Record<OutcomeKind, number>> = {}
  for (const { kind } of Object.values(outcomes)) counts[kind] = (counts[kind] ?? 0) + 1
  return {
    id,
    do: task.verb,
    ...(task.worker !== undefined && { worker: task.worker }),
    ...(task.slots !== undefined && { slots: task.slots }),
    actor,
    reason,
    selection,
    givenAt: iso(givenAtMs),
    until: iso(untilMs),
    outcomes: counts,
    instances: Object.entries(outcomes).map(([instance, { kind, atMs, detail }]) => ({
      id: instance,
      outcome: kind,
      at: iso(atMs),
      ...(detail !== '' && { detail }),
    })),
  }
}

/** A page of a list that keeps its order: what comes after this key, and the key to go on from. */
export function pageOf(
  instances: readonly Instance[],
  after: readonly string[] | undefined,
  limit: number,
): { readonly page: readonly Instance[]; readonly next?: readonly string[] } {
  const sorted = [...instances].sort(compareInstances)
  const rest = after ? sorted.filter((one) => compareKeys(sortKeyOf(one), after) > 0) : sorted
  const page = rest.slice(0, limit)
  const last = rest.length > limit ? page.at(-1) : undefined
  return { page, ...(last && { next: sortKeyOf(last) }) }
}
