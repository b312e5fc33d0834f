import type { FleetTally } from '../../core/fleet/fleet-ports.ts'
import type { EndKind, Instance, InstanceFacts, InstanceStats } from '../../core/fleet/instance.ts'
import type { OrderOutcome, OrderRecord, OrderVerb, OutcomeKind } from '../../core/fleet/order.ts'
import type { SettingsRevision, SettingsTarget, TargetSettings } from '../../core/fleet/worker-settings.ts'

/** A row of the registry as fleet.lua writes it. */
export function rowOf(id: string, text: string): Instance {
  const [, change, startedAtMs, end, endedAtMs, stuckSinceMs, facts = '{}'] =
    /^(\d+) (\d+) (\S+) (\d+) (\d+) (.*)$/s.exec(text) ?? []
  return {
    ...(JSON.parse(facts) as InstanceFacts),
    id,
    change: Number(change),
    startedAtMs: Number(startedAtMs),
    ...(end !== '-' && { end: { kind: end as EndKind, atMs: Number(endedAtMs) } }),
    ...(stuckSinceMs !== '0' && { stuckSinceMs: Number(stuckSinceMs) }),
  }
}

/** Without names of members: it is written every two seconds for each instance. A time of 0 is none. */
type KeptStats = readonly [
  workers: readonly (readonly [
    name: string,
    running: number,
    done: number,
    failed: number,
    takenAtMs: number,
  ])[],
  cpuPercent: number,
  rssBytes: number,
  loopDelayMs: number,
]

export function statsText({ workers, cpuPercent, rssBytes, loopDelayMs }: InstanceStats): string {
  const kept: KeptStats = [
    Object.entries(workers).map(
      ([name, { running, done, failed, lastTakenAtMs = 0 }]) =>
        [name, running, done, failed, lastTakenAtMs] as const,
    ),
    cpuPercent,
    rssBytes,
    loopDelayMs,
  ]
  return JSON.stringify(kept)
}

/** Undefined where another build has written them in a form of its own: one instance's numbers are no reason to list none. */
export function statsOf(text: string): InstanceStats | undefined {
  const kept = JSON.parse(text) as KeptStats | object
  if (!isKeptStats(kept)) return undefined
  const [workers, cpuPercent, rssBytes, loopDelayMs] = kept
  return {
    workers: Object.fromEntries(
      workers.map(([name, running, done, failed, takenAtMs]) => [
        name,
        { running, done, failed, ...(takenAtMs > 0 && { lastTakenAtMs: takenAtMs }) },
      ]),
    ),
    cpuPercent,
    rssBytes,
    loopDelayMs,
  }
}

function isKeptStats(kept: KeptStats | object): kept is KeptStats {
  return Array.isArray(kept) && Array.isArray(kept[0])
}

type KeptOrder = Omit<OrderRecord, 'id' | 'givenAtMs' | 'untilMs' | 'outcomes'> & {
  readonly instances: readonly string[]
}

/** What order.lua keeps of it; times and outcomes are its own. */
export function keptOrderOf({ task, actor, reason, selection, outcomes }: OrderRecord): KeptOrder {
  return { task, actor, reason, selection, instances: Object.keys(outcomes) }
}

export function orderOf(id: string, text: string) {
  const [, givenAtMs, untilMs, json = '{}'] = /^(\d+) (\d+) (.*)$/s.exec(text) ?? []
  const { instances, ...kept } = JSON.parse(json) as KeptOrder
  return { instances, record: { ...kept, id, givenAtMs: Number(givenAtMs), untilMs: Number(untilMs) } }
}

export function outcomeOf(text = 'expired 0 '): OrderOutcome {
  const [, kind, atMs, detail = ''] = /^(\S+) (\d+) (.*)$/s.exec(text) ?? []
  return { kind: kind as OutcomeKind, atMs: Number(atMs), detail }
}

export function targetText({ of, name }: SettingsTarget): string {
  return `${of} ${name}`
}

/** What configure.lua keeps of a worker or an instance. */
export function settingsOf(target: string, text: string): TargetSettings {
  const [of, name = ''] = target.split(' ')
  const revisions = text.split('\n').map((line) => JSON.parse(line) as SettingsRevision)
  return { of: of as SettingsTarget['of'], name, revisions }
}

/** Workers before instances, each by name. */
export function byTarget(a: SettingsTarget, b: SettingsTarget): number {
  if (a.of !== b.of) return a.of === 'worker' ? -1 : 1
  return a.name < b.name ? -1 : 1
}

/** What the fields of the counts say: "order restart done" and "restart mailer", among others. */
export function tallyOf(
  counts: Readonly<Record<string, string | number>>,
): Pick<FleetTally, 'orders' | 'restarts'> {
  const fields = Object.entries(counts).map(([field, count]) => [field.split(' '), Number(count)] as const)
  return {
    orders: fields.flatMap(([[kind, name, outcome], count]) =>
      kind === 'order' ? [{ verb: name as OrderVerb, outcome: outcome as OutcomeKind, count }] : [],
    ),
    restarts: fields.flatMap(([[kind, worker], count]) =>
      kind === 'restart' && worker !== undefined ? [{ worker, count }] : [],
    ),
  }
}
