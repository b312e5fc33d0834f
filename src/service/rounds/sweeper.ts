import { hasRoundJob, submissionDeadlineAtMs } from '../../core/rounds/job.ts'
import { deadlineAtMs } from '../../core/rounds/record.ts'
import type { RoundId } from '../../core/rounds/round.ts'
import type {
  JobQueues,
  Log,
  OutboxEntry,
  OutboxStep,
  Records,
  RoundQueue,
  SeenEntry,
  Sighting,
} from '../../core/rounds/round-ports.ts'
import { eachAtOnce } from '../../waiting.ts'
import type { Calm } from '../calm.ts'
import { Loop, type Work } from '../loop.ts'
import { queueJob } from './dispatcher.ts'

/** An entry this old was left by a process that died, or that could not reach the queue. */
const LEFT_AFTER_MS = 5_000
const SWEEP_EVERY_MS = 5_000
const MAX_ENTRIES = 500
const SYSTEMS_AT_ONCE = 8
const ENTRIES_AT_ONCE = 32
/** Entries that are looked at, shown and acknowledged together. */
const BATCH = 100

/**
 * Tells the round queue what a crash kept it from hearing. Runs in every facade process; that two of them do the same
 * is harmless.
 */
export class Sweeper implements Work {
  private readonly loop = new Loop({
    everyMs: SWEEP_EVERY_MS,
    work: () => this.sweep(),
    putOff: (cause) => this.log.debug({ cause }, 'sweep put off'),
  })
  private redone = 0

  constructor(
    private readonly records: Records,
    readonly rounds: RoundQueue,
    readonly jobs: JobQueues,
    private readonly log: Log,
  ) {}

  /** How many outbox entries this process has delivered for another. */
  get redelivered(): number {
    return this.redone
  }

  start(calm?: Calm): void {
    this.loop.start(calm)
  }

  stop(): Promise<void> {
    return this.loop.stop()
  }

  /** Delivers what was left, once. True where there is more to be delivered at once. */
  async sweep(ageMs = LEFT_AFTER_MS): Promise<boolean> {
    const entries = await this.records.outbox(ageMs, MAX_ENTRIES)
    const before = this.redone
    const bySystem = groupBySystem(entries)
    const swept = await eachAtOnce(SYSTEMS_AT_ONCE, [...bySystem], ([system, left]) =>
      // What keeps one system's from being told is no reason not to tell that of others.
      this.sweepSystem(system, left).catch((error: unknown) => ({ error })),
    )
    const failed = swept.find((one) => one !== undefined)
    const isMore = entries.length === MAX_ENTRIES && this.redone > before
    if (failed && !isMore) throw failed.error
    return isMore
  }

  private async sweepSystem(system: string, entries: readonly OutboxEntry[]): Promise<undefined> {
    if (this.loop.signal.aborted || !(await this.records.claim(system))) return
    const failures: unknown[] = []
    try {
      const count = await this.deliverAll(entries, failures)
      if (count > 0) this.log.info({ system, entries: count }, 'queues told by the sweeper')
    } finally {
      await this.records.release(system)
    }
    if (failures.length > 0) throw failures[0]
  }

  /** Shows on the board how the round is now, which a step has noted in the outbox. */
  async tell(id: RoundId, step: OutboxStep): Promise<void> {
    const seen = await this.records.read(id)
    if (await this.show(id, seen)) this.records.acknowledge(id, step, seen)
  }

  /** How many of one system's the queues were told. */
  private async deliverAll(entries: readonly OutboxEntry[], failures: unknown[]): Promise<number> {
    let count = 0
    for (let from = 0; from < entries.length && !this.loop.signal.aborted; from += BATCH) {
      const told: SeenEntry[] = []
      await this.deliver(entries.slice(from, from + BATCH), (one) => told.push(one), failures)
      await this.records.acknowledgeEntries(told)
      this.redone += told.length
      count += told.length
    }
    return count
  }

  /** Those that a queue cannot take now are not told. What fails of one keeps none of the others from being told. */
  private async deliver(
    entries: readonly OutboxEntry[],
    told: (one: SeenEntry) => void,
    failures: unknown[],
  ): Promise<void> {
    const seen = await this.records.readAll(entries.map(({ id }) => id))
    const all = entries.map((entry, index) => ({ entry, seen: seen[index] as Sighting }))
    // Older builds leave entries of rounds whose deadline nobody watches.
    const open = all.filter((one) => !one.seen.record?.completion)
    const unwatched = await this.each(open, failures, ({ entry }) => this.records.expire(entry.id))
    const watched = all.filter((one) => !unwatched.has(one))
    const [ends, others] = [watched.filter(isEnd), watched.filter((one) => !isEnd(one))]
    if (ends.length > 0) await this.showEnds(ends, told).catch((error: unknown) => failures.push(error))
    await this.each(others, failures, async (one) => {
      if (await this.deliverOne(one)) told(one)
    })
  }

  /** @returns those of which it has failed */
  private async each(
    some: readonly SeenEntry[],
    failures: unknown[],
    act: (one: SeenEntry) => Promise<unknown>,
  ): Promise<ReadonlySet<SeenEntry>> {
    const failed = new Set<SeenEntry>()
    await eachAtOnce(ENTRIES_AT_ONCE, some, async (one) => {
      if (this.loop.signal.aborted) return
      try {
        await act(one)
      } catch (error) {
        failures.push(error)
        failed.add(one)
      }
    })
    return failed
  }

  private async showEnds(ends: readonly SeenEntry[], told: (one: SeenEntry) => void): Promise<void> {
    if (this.loop.signal.aborted) return
    const shown = await this.rounds.show(ends.map(({ entry, seen }) => ({ id: entry.id, ...seen })))
    for (const [index, one] of ends.entries()) if (shown[index]) told(one)
  }

  private async deliverOne({ entry: { id, step }, seen }: SeenEntry): Promise<boolean> {
    if (step !== 'submitted') return this.show(id, seen)
    if (seen.submission) await queueJob(this.jobs, id, seen.submission)
    return true
  }

  private async show(id: RoundId, seen: Sighting): Promise<boolean> {
    if (!hasRoundJob(seen)) return true
    const [isShown = false] = await this.rounds.show([{ id, ...seen }])
    if (!isOverdue(seen)) return isShown
    // Shown as overdue meanwhile, it may have been taken over: it is no more.
    const now = await this.records.read(id)
    if (isOverdue(now)) return isShown
    const [isShownNow = false] = await this.rounds.show([{ id, ...now }])
    return isShownNow
  }
}

function groupBySystem(entries: readonly OutboxEntry[]): Map<string, OutboxEntry[]> {
  const groups = new Map<string, OutboxEntry[]>()
  for (const entry of entries) {
    const group = groups.get(entry.id.system)
    if (group) group.push(entry)
    else groups.set(entry.id.system, [entry])
  }
  return groups
}

/** An end that the board shows, and that many of are shown together. */
function isEnd({ entry, seen }: SeenEntry): boolean {
  return entry.step !== 'submitted' && hasRoundJob(seen) && !isOverdue(seen)
}

function isOverdue({ record, submission, nowMs }: Sighting): boolean {
  if (record) return record.completion === undefined && nowMs >= deadlineAtMs(record)
  return nowMs >= ((submission && submissionDeadlineAtMs(submission)) ?? Number.POSITIVE_INFINITY)
}
