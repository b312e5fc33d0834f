import type { PlaceReport, Pool, PoolChanges, PoolState, PoolSupervisor } from './pool.ts'

/** What a supervisor reports that takes places of pools. */
export interface Attendance {
  readonly supervisor: PoolSupervisor
  readonly reports: Readonly<Record<string, PlaceReport>>
}

/**
 * Pools, their places, and the supervisors that take them. Every step is atomic, its times are the store's.
 *
 * Every method throws GoneError `STORE_UNAVAILABLE` when the store cannot answer; the same call again is harmless.
 */
export interface PoolStore {
  /**
   * A supervisor says that it is there, for `leaseMs`.
   *
   * @returns the revision of all that is kept here
   */
  attend(attendance: Attendance, leaseMs: number): Promise<number>
  /** A supervisor says that it takes no places any more. */
  depart(id: string): Promise<void>
  /** After the store itself was away nobody is lost for a while. */
  read(): Promise<PoolState>
  /** Changes it, unless anything but reports has changed since that revision. */
  change(changes: StoredChanges, revision: number): Promise<boolean>
}

export interface StoredChanges extends PoolChanges {
  /** Pools that are no more; their places go by themselves. */
  readonly removed?: readonly Pool['name'][]
}
