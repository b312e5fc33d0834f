import { type Pool, type PoolPlace, type PoolState, placeName } from '../../core/fleet/pool.ts'
import type { Attendance, PoolStore, StoredChanges } from '../../core/fleet/pool-ports.ts'

/** As in pools.lua. */
const SILENCE_MS = 5_000
const GRACE_MS = 10_000
const KEPT_LOST_MS = 3_600_000

/** Pools in memory, by the rules of the Lua scripts: for tests without Redis. */
export class MemoryPools implements PoolStore {
  private readonly pools = new Map<string, Pool>()
  private readonly places = new Map<string, PoolPlace>()
  private readonly there = new Map<string, Attendance & { readonly untilMs: number }>()
  private revision = 0
  private touchedMs: number | undefined
  private graceUntilMs = 0

  constructor(private readonly nowMs: () => number) {}

  async attend(attendance: Attendance, leaseMs: number): Promise<number> {
    const nowMs = this.touch()
    const { supervisor } = attendance
    const before = this.there.get(supervisor.id)?.supervisor
    if (JSON.stringify(before) !== JSON.stringify(supervisor)) {
      for (const [id, { untilMs }] of this.there) if (untilMs <= nowMs - KEPT_LOST_MS) this.there.delete(id)
      this.revision += 1
    }
    this.there.set(supervisor.id, { ...attendance, untilMs: nowMs + leaseMs })
    return this.revision
  }

  async depart(id: string): Promise<void> {
    this.touch()
    if (this.there.delete(id)) this.revision += 1
  }

  async read(): Promise<PoolState> {
    const nowMs = this.pools.size + this.there.size > 0 ? this.touch() : this.nowMs()
    const isGrace = nowMs < this.graceUntilMs
    return {
      nowMs,
      revision: this.revision,
      pools: [...this.pools.values()],
      places: [...this.places.values()],
      supervisors: [...this.there.values()].map(({ supervisor, reports, untilMs }) => ({
        ...supervisor,
        isLost: !isGrace && untilMs <= nowMs,
        reports,
      })),
    }
  }

  async change({ pools, places, gone, removed = [] }: StoredChanges, revision: number): Promise<boolean> {
    this.touch()
    if (revision !== this.revision) return false
    for (const pool of pools) this.pools.set(pool.name, pool)
    for (const name of removed) this.pools.delete(name)
    for (const place of gone) this.places.delete(placeName(place))
    for (const place of places) this.places.set(placeName(place), place)
    this.revision += 1
    return true
  }

  private touch(): number {
    const nowMs = this.nowMs()
    if (nowMs - (this.touchedMs ?? nowMs) > SILENCE_MS) this.graceUntilMs = nowMs + GRACE_MS
    this.touchedMs = nowMs
    return nowMs
  }
}
