import type { Pressure } from './pressure.ts'
import type { SettingsTaken } from './worker-settings.ts'

/** How long an instance that ended can still be asked for. */
export const KEPT_ENDED_MS = 3_600_000

/** What an instance says of one of its workers. */
export interface WorkerSlots {
  /** The worker's name, and its queue's. */
  readonly name: string
  /** How many jobs it runs at once. */
  readonly slots: number
}

/**
 * What a process that runs workers says of itself, and what rarely changes.
 *
 * @example { id: 'k3v9…', workers: [{ name: 'mailer', slots: 4 }], release: '41', region: 'eu', host: 'eu-a', pid: 4711, … }
 */
export interface InstanceFacts {
  /** New at each start. */
  readonly id: string
  readonly workers: readonly WorkerSlots[]
  readonly release: string
  readonly region: string
  readonly host: string
  readonly pid: number
  /** Of gone. */
  readonly version: string
  readonly mode: InstanceMode
  /** Under a supervisor: which of its places it has. Where that has no instance, it is listed itself. */
  readonly place?: string
  /** Why it takes no jobs for now, whatever it was ordered: its supervisor has taken it out of the pool. */
  readonly pressure?: Pressure
  /** It takes jobs that are for its region, besides those that are for none. */
  readonly regional?: true
  /** It speaks HTTP alone, and anybody whose key may work for its workers could speak for it. */
  readonly overHttp?: true
  /** Of each worker of which anything is set. */
  readonly settings?: Readonly<Record<string, SettingsTaken>>
}

/** What is said of a release where nothing is. */
export const NO_RELEASE = 'none'
/** And of a region. */
export const NO_REGION = 'none'

/** What an instance says of itself: it takes jobs; it runs on and takes none; it ends when its jobs have. */
export const OWN_MODES = ['registered', 'unregistered', 'stopping'] as const
export type OwnMode = (typeof OWN_MODES)[number]

/** What its supervisor says of a place that has no instance: it was told so; or all died too soon, and it waits to try again. */
const PLACE_MODES = ['stopped', 'crash-looping'] as const
export type PlaceMode = (typeof PLACE_MODES)[number]

/** `unresponsive`: its supervisor says so, because its event loop has not answered for 5 s. */
const INSTANCE_MODES = [...OWN_MODES, 'unresponsive', ...PLACE_MODES] as const
export type InstanceMode = (typeof INSTANCE_MODES)[number]

/** What an instance has done for one of its workers, since its start. */
export interface WorkerStats {
  /** Jobs that run now. */
  readonly running: number
  readonly done: number
  readonly failed: number
  /** When it last took a job, in ms of the store's clock; missing: never. */
  readonly lastTakenAtMs?: number
}

/** Numbers that change all the time. */
export interface InstanceStats {
  readonly workers: Readonly<Record<string, WorkerStats>>
  /** Processor time, in percent of a core, since the last report. */
  readonly cpuPercent: number
  readonly rssBytes: number
  /** The longest that its event loop kept a timer waiting since the last report. */
  readonly loopDelayMs: number
}

/** Why an instance is no longer there: it said so itself, its supervisor saw it die, or nothing was heard of it. */
export type EndKind = 'ended' | 'died' | 'lost'

/** An instance as the store has it. Times in ms of the store's clock. */
export interface Instance extends InstanceFacts {
  readonly startedAtMs: number
  /** The number of the change that made it what it is: replayed changes with a lower one are older. */
  readonly change: number
  /** Missing in changes that are listened to. */
  readonly stats?: InstanceStats
  readonly end?: { readonly kind: EndKind; readonly atMs: number }
  /** Jobs wait, it has room, and it takes none: since when. */
  readonly stuckSinceMs?: number
}

/** What is shown of an instance, and what selections name. */
export const INSTANCE_STATES = [...INSTANCE_MODES, 'stuck', 'lost', 'died', 'ended'] as const
export type InstanceState = (typeof INSTANCE_STATES)[number]

/** Its end says more than what it said before it, and what it does not do more than what it means to do. */
export function stateOf({ end, mode, stuckSinceMs }: Instance): InstanceState {
  if (end) return end.kind
  if (stuckSinceMs !== undefined && mode === 'registered') return 'stuck'
  return mode
}

/** True if it is certain that it is no more, so that only whoever asks for such is shown it. */
export function isOver(state: InstanceState): boolean {
  return state === 'ended' || state === 'died'
}

/** True if it takes jobs of this worker that are for this region. */
export function takesIn(one: Instance, worker: string, region: string): boolean {
  const isThere = one.regional === true && one.region === region && !one.end && one.mode === 'registered'
  return isThere && one.workers.some(({ name }) => name === worker)
}

/** The pool whose place it has; undefined: none. */
export function poolOf({ place }: Pick<InstanceFacts, 'place'>): string | undefined {
  const [pool, number] = place?.split('/') ?? []
  return number === undefined ? undefined : pool
}

/** What lists are sorted by: region, host, first worker and id, so that they keep their order from look to look. */
export function sortKeyOf({ region, host, workers, id }: InstanceFacts): readonly string[] {
  return [region, host, workers[0]?.name ?? '', id]
}

export function compareKeys(left: readonly string[], right: readonly string[]): number {
  const at = left.findIndex((part, index) => part !== right[index])
  if (at < 0) return 0
  return (left[at] as string) < (right[at] as string) ? -1 : 1
}

export function compareInstances(a: InstanceFacts, b: InstanceFacts): number {
  return compareKeys(sortKeyOf(a), sortKeyOf(b))
}
