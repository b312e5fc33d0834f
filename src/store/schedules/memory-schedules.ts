import type { Schedule, ScheduleId } from '../../core/schedules/schedule.ts'
import type {
  SchedulePage,
  ScheduleSighting,
  ScheduleStore,
  Wake,
} from '../../core/schedules/schedule-ports.ts'

interface Kept {
  readonly id: ScheduleId
  readonly revision: number
  readonly schedule: Schedule
  readonly wakeMs: number | undefined
}

/** The twin of RedisSchedules in memory, for tests of what stands on it. */
export class MemorySchedules implements ScheduleStore {
  private readonly kept = new Map<string, Kept>()
  private lastRevision = 0

  constructor(private readonly nowMs: () => number) {}

  async read(id: ScheduleId): Promise<ScheduleSighting> {
    const { revision = 0, schedule } = this.kept.get(keyOf(id)) ?? {}
    return { nowMs: this.nowMs(), revision, ...(schedule && { schedule }) }
  }

  async save(id: ScheduleId, revision: number, schedule: Schedule, wakeMs: number | undefined) {
    if ((this.kept.get(keyOf(id))?.revision ?? 0) !== revision) return undefined
    this.lastRevision += 1
    this.kept.set(keyOf(id), { id, revision: this.lastRevision, schedule, wakeMs })
    return this.lastRevision
  }

  async remove(id: ScheduleId): Promise<boolean> {
    return this.kept.delete(keyOf(id))
  }

  async list(query: { system?: string; after?: ScheduleId; limit: number }): Promise<SchedulePage> {
    const { system, after, limit } = query
    const found = [...this.kept.values()]
      .filter(({ id }) => system === undefined || id.system === system)
      .filter(({ id }) => after === undefined || compare(id, after) > 0)
      .sort((a, b) => compare(a.id, b.id))
    const schedules = found.slice(0, limit).map(({ id, schedule }) => ({ id, schedule }))
    const last = found.length > limit ? schedules.at(-1) : undefined
    return { schedules, nowMs: this.nowMs(), ...(last && { next: last.id }) }
  }

  async count(): Promise<number> {
    return this.kept.size
  }

  async late(lateMs: number, limit: number) {
    const nowMs = this.nowMs()
    const wakes = this.byWake().filter(({ atMs }) => atMs <= nowMs - lateMs)
    return { wakes: wakes.slice(0, limit), nowMs }
  }

  async wakes(offset: number, limit: number) {
    return { wakes: this.byWake().slice(offset, offset + limit), nowMs: this.nowMs() }
  }

  private byWake(): Wake[] {
    return [...this.kept.values()]
      .flatMap(({ id, wakeMs }) => (wakeMs === undefined ? [] : [{ id, atMs: wakeMs }]))
      .sort((a, b) => a.atMs - b.atMs || compare(a.id, b.id))
  }
}

function keyOf({ system, name }: ScheduleId): string {
  return `${system}\n${name}`
}

function compare(a: ScheduleId, b: ScheduleId): number {
  if (a.system !== b.system) return a.system < b.system ? -1 : 1
  return a.name === b.name ? 0 : a.name < b.name ? -1 : 1
}
