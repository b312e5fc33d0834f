import type { Death, LeftJob } from './death.ts'
import type { QueueFacts } from './health.ts'
import type { Instance, InstanceFacts, InstanceStats } from './instance.ts'
import type { OrderRecord, OrderTask, OrderVerb, OutcomeKind } from './order.ts'
import type { SettingsRevision, SettingsTarget, TargetSettings } from './worker-settings.ts'

/** A revision before the store has numbered it. */
export type NewRevision = Omit<SettingsRevision, 'revision' | 'atMs'>

/** What an instance reports. */
export interface Pulse {
  readonly id: string
  /** Missing where the store has them as they are. */
  readonly facts?: InstanceFacts
  /** Missing where they are not due. */
  readonly stats?: InstanceStats
  /** The revision of its orders that it knows; 0 for none. */
  readonly known: number
}

export interface PulseReply {
  readonly nowMs: number
  /** True if the store does not have the facts, and the pulse brought none. */
  readonly isUnknown: boolean
  /** The last revision of what is set of any worker; missing: nothing ever was. */
  readonly settings?: number
  /** Its orders, where they are not those of the revision that it knows. */
  readonly orders?: { readonly revision: number; readonly tasks: readonly OrderTask[] }
}

/** How many instances of a worker an order would leave, of those that take its jobs. */
export interface TooFew {
  readonly worker: string
  readonly left: number
  readonly serving: number
}

/** What has happened since the store was empty. */
export interface FleetTally {
  readonly nowMs: number
  /** When a step was last taken by anybody, as each instance and server does all the time; missing: never. */
  readonly touchedAtMs?: number
  /** How orders went at instances; those that are under way are left out. */
  readonly orders: readonly {
    readonly verb: OrderVerb
    readonly outcome: OutcomeKind
    readonly count: number
  }[]
  /** Instances of a worker that ended because an order had them restart. */
  readonly restarts: readonly { readonly worker: string; readonly count: number }[]
}

/** A change of the fleet, as listeners hear of it. */
export interface FleetChange {
  /** From 1, without a gap. */
  readonly number: number
  readonly id: string
  /** As it is now; missing: it is forgotten. */
  readonly instance?: Instance
}

/** A job that an instance runs now. */
export interface JobInHand extends LeftJob {
  /** When the instance took it, in ms of the store's clock. */
  readonly sinceMs: number
}

/** What instances run now. */
export interface JobsInHand {
  /**
   * The jobs that the instance runs, the oldest first: its pulse tells how many, the queues tell which.
   *
   * @throws GoneError `STORE_UNAVAILABLE`
   */
  of(instance: Pick<Instance, 'id' | 'workers' | 'region' | 'regional'>): Promise<readonly JobInHand[]>
}

/** The registry at one moment, from which on changes are listened to. */
export interface Snapshot {
  readonly nowMs: number
  /** The number of the last change that it holds for certain; changes of the instances in it may be later ones. */
  readonly change: number
  /** Differs where the store has lost its changes and counts anew. */
  readonly epoch: string
  readonly instances: readonly Instance[]
}

/**
 * The registry of all that runs workers. Every step is atomic, its times are the store's.
 *
 * Every method throws GoneError `STORE_UNAVAILABLE` when the store cannot answer; the same call again is harmless.
 */
export interface Fleet {
  /** Says that these live, for `leaseMs`. One step for all instances of a process and its children. */
  pulse(pulses: readonly Pulse[], leaseMs: number): Promise<readonly PulseReply[]>
  /** An instance ends, and says so. */
  leave(id: string): Promise<void>
  /**
   * An instance has died, as its supervisor has seen; it may never have been listed. What is known of it is kept for a day.
   */
  die(facts: InstanceFacts, death: Death): Promise<void>
  /**
   * True if a supervisor may end an instance of these workers that does not work: one of a worker at a time, and few within
   * some minutes, on all hosts. Then it is counted.
   */
  mayRecycle(workers: readonly string[]): Promise<boolean>
  /**
   * True if at least so many others take jobs of each of its workers, so that it need take none. Where that is `noted`, it is
   * listed as `facts` say in the same step.
   */
  spare(facts: InstanceFacts, least: number, isNoted: boolean): Promise<boolean>
  /** What is known of its death; undefined: it has not died, or that was over a day ago. */
  death(id: string): Promise<Death | undefined>
  /**
   * Takes those whose lease has ended for lost, unless the store itself was away meanwhile; and forgets those that ended
   * `keepMs` ago.
   *
   * @returns how many were lost in this step
   */
  reap(keepMs: number): Promise<number>
  /** Marks an instance as stuck since then, or as taking jobs again. */
  judge(id: string, stuckSinceMs: number | undefined): Promise<void>
  snapshot(): Promise<Snapshot>
  /** The number of the last change, and of what count. */
  latest(): Promise<{ readonly change: number; readonly epoch: string; readonly nowMs: number }>
  instance(id: string): Promise<{ readonly instance?: Instance; readonly nowMs: number }>
  /**
   * Up to `limit` changes after this one. `isReset`: changes in between are no longer kept, or the store has lost them;
   * then a snapshot is to be taken anew.
   */
  changes(
    after: { readonly change: number; readonly epoch: string },
    limit: number,
  ): Promise<{ readonly isReset: boolean; readonly changes: readonly FleetChange[] }>
  tally(): Promise<FleetTally>
  /**
   * Gives the order to the instances, each of which is to obey it once before `untilMs`.
   *
   * @param halved workers of which half must be left; who is told to go already counts as gone
   * @returns what would be left of one of them, where that is less; then nobody is told
   */
  order(order: OrderRecord, keepMs: number, halved?: readonly string[]): Promise<TooFew | undefined>
  /** True if the instance may obey now: it is in time, and has not obeyed before. */
  claim(order: string, id: string): Promise<boolean>
  report(order: string, id: string, outcome: OutcomeKind, detail: string): Promise<void>
  /** Notes instances that have not obeyed in time, and never will. */
  expire(): Promise<number>
  /** Sets what is said of a worker or an instance. False: there are as many as there may be. */
  configure(target: SettingsTarget, revision: NewRevision): Promise<boolean>
  /** All that is set, workers before instances, by name. */
  settings(): Promise<{ readonly all: readonly TargetSettings[]; readonly nowMs: number }>
  orderRecord(id: string): Promise<{ readonly order?: OrderRecord; readonly nowMs: number }>
  /** Newest first. */
  orders(query: { readonly after?: string; readonly limit: number }): Promise<{
    readonly orders: readonly OrderRecord[]
    readonly nowMs: number
    readonly next?: string
  }>
}

/** Tells instances that there are orders for them; may be lost, so they also ask. */
export interface Pokes {
  /** `*` is all of them. */
  poke(ids: readonly string[]): Promise<void>
  listen(id: string, onPoke: () => void): Promise<() => void>
}

/** What waits in the workers' queues. */
export interface QueueReader {
  read(): Promise<readonly QueueFacts[]>
}

/** An instance whose process is no more: only then may what it ran be taken from it. */
export interface DeadInstance {
  readonly id: string
  /** What the lock of each job begins with that it ran, by queue. */
  readonly locks: Readonly<Record<string, string>>
}

/** Jobs that are for a region. */
export interface RegionJobs {
  /**
   * Makes anybody's those that are for the region and that nobody has in hand.
   *
   * @returns how many
   * @throws GoneError `STORE_UNAVAILABLE`
   */
  moveOn(worker: string, region: string): Promise<number>
}

/** Jobs that were taken over HTTP, or by who is gone. */
export interface LeftJobs {
  /**
   * Has the worker's jobs wait again whose lease has ended; at the second look, because at the first it may be renewed just then.
   *
   * @throws GoneError `STORE_UNAVAILABLE`
   */
  handOn(worker: string): Promise<void>
}

/** Puts what a dead instance ran back into its queues. */
export interface HandBack {
  /**
   * @returns what was put back
   * @throws GoneError `STORE_UNAVAILABLE`; the same call again is harmless
   */
  handBack(instance: DeadInstance): Promise<readonly LeftJob[]>
}
