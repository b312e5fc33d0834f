import { type RoundId, roundKey } from '../core/rounds/round.ts'
import type { RoundQueue, SeenRound } from '../core/rounds/round-ports.ts'
import { type RoundJob, roundJobOf } from './round-job.ts'

/** The twin of BullRoundQueue in memory, for tests of what stands on it. It forgets nothing. */
export class MemoryRoundQueue implements RoundQueue {
  private readonly jobs = new Map<string, RoundJob>()

  async show(rounds: readonly SeenRound[]): Promise<readonly boolean[]> {
    return rounds.map((seen) => {
      const key = roundKey(seen.id)
      const known = this.jobs.get(key)
      const job = roundJobOf(seen)
      if (known && isStale(job, known)) return true
      if (job.as === 'nowhere') this.jobs.delete(key)
      else this.jobs.set(key, job)
      return true
    })
  }

  async counts(): Promise<Readonly<Record<string, number>>> {
    const counts = { waiting: 0, active: 0, delayed: 0, completed: 0, failed: 0 }
    for (const { as } of this.jobs.values()) if (as !== 'nowhere') counts[as] += 1
    return counts
  }

  /** The round's job, if there is one. */
  job(id: RoundId): RoundJob | undefined {
    return this.jobs.get(roundKey(id))
  }
}

function isStale(job: RoundJob, known: RoundJob): boolean {
  if (job.addedAtMs > known.addedAtMs) return false
  return job.fence < known.fence || (job.fence === known.fence && job.rank < known.rank)
}
