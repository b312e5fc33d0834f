import type { Candidate, Reporter } from '../core/candidate.ts'
import { type CompletionVerdict, judgeCompletion } from '../core/completion.ts'
import { judgeElection, judgeRenewal, provesLeadership } from '../core/election.ts'
import {
  hasRoundJob,
  type Submission,
  type SubmissionRecord,
  submissionDeadlineAtMs,
  submissionDigest,
} from '../core/job.ts'
import {
  type DeadlineRuling,
  type ElectionRuling,
  type FinishRuling,
  type HistoryMark,
  isAfter,
  type ListedRound,
  type OutboxEntry,
  type OutboxStep,
  type Records,
  type RenewalRuling,
  type Report,
  type RoundNews,
  type Ruling,
  type Sighting,
  type StartRuling,
  type SubmissionRuling,
} from '../core/ports.ts'
import { deadlineAtMs, MAX_DEADLINE_MS, type RoundRecord, type Terms } from '../core/record.ts'
import { parseRoundKey, type RoundId, roundKey } from '../core/round.ts'

/** The twin of RedisRecords in memory, for tests of what stands on records. It forgets nothing and is gone with the process. */
export class MemoryRecords implements Records, RoundNews {
  private readonly records = new Map<string, RoundRecord>()
  private readonly submissions = new Map<string, SubmissionRecord>()
  private readonly places = new Map<string, HistoryMark>()
  private readonly fences = new Map<string, number>()
  private readonly pending = new Map<string, number>()
  private readonly overdue = new Set<string>()
  private placed = 0
  private readonly listeners = new Map<string, Set<() => void>>()

  constructor(private readonly nowMs: () => number) {}

  async decide(id: RoundId, candidate: Candidate, terms: Terms, gate?: string): Promise<ElectionRuling> {
    const key = roundKey(id)
    const nowMs = this.nowMs()
    const before = this.records.get(key)
    const verdict = judgeElection(before, candidate, nowMs)
    if (verdict === 'lost') return this.ruling(verdict, key)
    if (verdict === 'alreadyLeader') {
      const record = before as RoundRecord
      if (!record.completion && record.lease) this.extend(key, record, record.lease.ms)
      return this.ruling(verdict, key)
    }
    this.lead(id, candidate, terms, gate)
    this.pending.set(key, nowMs)
    this.overdue.delete(key)
    const previous = before && { leader: before.leader, fence: before.fence }
    return { ...this.ruling(verdict, key), ...(previous && { previous }) }
  }

  async submit(id: RoundId, submission: Submission): Promise<SubmissionRuling> {
    const key = roundKey(id)
    const nowMs = this.nowMs()
    if (this.records.has(key) || this.submissions.has(key)) {
      return { verdict: 'duplicate', ...(await this.read(id)) }
    }
    const { queue, data, queueTerms, runTerms } = submission
    const digest = submissionDigest(submission)
    this.submissions.set(key, {
      queue,
      submittedAtMs: nowMs,
      digest,
      runTerms,
      pending: { data, queueTerms },
    })
    this.place(id)
    this.pending.set(`${key}~s`, nowMs)
    return { verdict: 'submitted', ...(await this.read(id)) }
  }

  async start(id: RoundId, candidate: Candidate, terms: Terms, maxStarts: number): Promise<StartRuling> {
    const key = roundKey(id)
    const nowMs = this.nowMs()
    const before = this.records.get(key)
    if (before?.completion) return this.ruling('finished', key)
    if (before && before.identity !== candidate.identity) return this.ruling('lost', key)
    const starts = before?.starts ?? 0
    const submission = this.submissions.get(key)
    const { ifExecutorDies } = submission?.runTerms ?? {}
    const deadlineMs = restOfDeadline(submission, nowMs) ?? terms.deadlineMs
    if (before && starts >= (ifExecutorDies === 'fail' ? 1 : maxStarts)) return this.ruling('spent', key)
    const place = this.places.get(key)
    const record = { ...this.lead(id, candidate, { deadlineMs }), starts: starts + 1 }
    this.records.set(key, record)
    if (place) this.places.set(key, place)
    return { verdict: 'started', fence: record.fence, runTerms: submission?.runTerms ?? {} }
  }

  async renew(id: RoundId, reporter: Reporter, leaseMs?: number): Promise<RenewalRuling> {
    const key = roundKey(id)
    const record = this.records.get(key)
    const verdict = judgeRenewal(record, reporter)
    if (record === undefined || verdict === 'notLed') return { verdict: 'notLed' }
    if (verdict === 'renewed' && record.lease) this.extend(key, record, leaseMs ?? record.lease.ms)
    return this.ruling(verdict, key)
  }

  async complete(
    id: RoundId,
    reporter: Reporter,
    report: Report,
    terms: Terms,
  ): Promise<Ruling<CompletionVerdict>> {
    const key = roundKey(id)
    const nowMs = this.nowMs()
    const before = this.records.get(key)
    const verdict = judgeCompletion(before, reporter, report.outcome)
    if (verdict !== 'recorded') return this.ruling(verdict, key)
    const led = before ?? this.lead(id, reporter, { deadlineMs: terms.deadlineMs })
    const isLeader = before === undefined || provesLeadership(led, reporter)
    const record: RoundRecord = {
      ...led,
      completion: {
        ...report,
        by: reporter.address,
        atMs: nowMs,
        ...(!isLeader && { identity: reporter.identity }),
      },
    }
    this.records.set(key, record)
    const submission = this.submissions.get(key)
    if (hasRoundJob({ record, ...(submission && { submission }) })) this.pending.set(`${key}~`, nowMs)
    this.overdue.delete(key)
    for (const onFinished of this.listeners.get(key) ?? []) onFinished()
    return this.ruling(verdict, key)
  }

  async finish(id: RoundId, job: Required<Reporter>, report: Report): Promise<FinishRuling> {
    const { verdict, ...ruling } = await this.complete(id, job, report, { deadlineMs: MAX_DEADLINE_MS })
    return verdict === 'refused' ? { verdict, ...ruling } : { verdict }
  }

  async read(id: RoundId): Promise<Sighting> {
    const record = this.records.get(roundKey(id))
    const submission = this.submissions.get(roundKey(id))
    return { nowMs: this.nowMs(), ...(record && { record }), ...(submission && { submission }) }
  }

  async expire(id: RoundId): Promise<DeadlineRuling> {
    const nowMs = this.nowMs()
    const key = roundKey(id)
    const record = this.records.get(key)
    const submission = this.submissions.get(key)
    if (record?.completion) return this.ruling('finished', key)
    const atMs = record ? deadlineAtMs(record) : submission && submissionDeadlineAtMs(submission)
    if (atMs === undefined) return { verdict: 'notLed' }
    if (nowMs < atMs) return { verdict: 'pending', restMs: atMs - nowMs }
    this.overdue.add(key)
    return record ? this.ruling('overdue', key) : { verdict: 'notStarted' }
  }

  async history(query: { system?: string; after?: HistoryMark; limit: number }) {
    const { after } = query
    const found = [...this.places]
      .filter(([, { system }]) => query.system === undefined || system === query.system)
      .filter(([, mark]) => after === undefined || isAfter(mark, after))
      .sort(([, a], [, b]) => (isAfter(b, a) ? -1 : 1))
    const rounds: ListedRound[] = found.slice(0, query.limit).map(([key, mark]) => {
      const record = this.records.get(key)
      const submission = this.submissions.get(key)
      return { id: parseRoundKey(key), mark, ...(record && { record }), ...(submission && { submission }) }
    })
    const last = found.length > rounds.length ? rounds.at(-1) : undefined
    return { rounds, nowMs: this.nowMs(), ...(last && { next: last.mark }) }
  }

  async came(query: { system: string; fromMs: number; untilMs: number; limit: number }) {
    const { system, fromMs, untilMs, limit } = query
    const found = [...this.places]
      .filter(([, mark]) => mark.system === system && mark.atMs >= fromMs && mark.atMs < untilMs)
      .sort(([, a], [, b]) => (isAfter(a, b) ? -1 : 1))
      .slice(0, limit)
    return Promise.all(
      found.map(async ([key, { atMs }]) => {
        const id = parseRoundKey(key)
        return { id, cameAtMs: atMs, ...(await this.read(id)) }
      }),
    )
  }

  async overdueCount(): Promise<number> {
    return this.overdue.size
  }

  async outbox(ageMs: number, limit: number): Promise<readonly OutboxEntry[]> {
    const before = this.nowMs() - ageMs
    return [...this.pending]
      .filter(([, sinceMs]) => sinceMs <= before)
      .slice(0, limit)
      .map(([entry]) => {
        const [system, round, mark] = entry.split('~')
        const step = mark === undefined ? 'led' : mark === 's' ? 'submitted' : 'finished'
        return { id: parseRoundKey(`${system}~${round}`), step, entry }
      })
  }

  acknowledge(id: RoundId, step: OutboxStep): void {
    const key = roundKey(id)
    this.pending.delete({ submitted: `${key}~s`, led: key, finished: `${key}~` }[step])
    const submission = this.submissions.get(key)
    if (step !== 'submitted' || !submission) return
    const { pending: _, ...queued } = submission
    this.submissions.set(key, queued)
  }

  async acknowledgeEntry({ id, step }: OutboxEntry): Promise<void> {
    this.acknowledge(id, step)
  }

  async listen(id: RoundId, onFinished: () => void): Promise<() => void> {
    const key = roundKey(id)
    const listeners = this.listeners.get(key) ?? new Set()
    this.listeners.set(key, listeners.add(onFinished))
    return () => listeners.delete(onFinished)
  }

  private lead(id: RoundId, candidate: Candidate, terms: Terms, gate?: string): RoundRecord {
    const fence = (this.fences.get(id.system) ?? 0) + 1
    this.fences.set(id.system, fence)
    const nowMs = this.nowMs()
    const record: RoundRecord = {
      leader: candidate.address,
      identity: candidate.identity,
      fence,
      electedAtMs: nowMs,
      deadlineMs: terms.deadlineMs,
      ...(terms.leaseMs && { lease: { ms: terms.leaseMs, expiresAtMs: nowMs + terms.leaseMs } }),
      ...(gate && { gate }),
    }
    this.records.set(roundKey(id), record)
    this.place(id)
    return record
  }

  /** Puts the round on top of the history. */
  private place(id: RoundId): void {
    this.placed += 1
    this.places.set(roundKey(id), { atMs: this.nowMs(), number: this.placed, system: id.system })
  }

  private extend(key: string, record: RoundRecord, leaseMs: number): void {
    this.records.set(key, { ...record, lease: { ms: leaseMs, expiresAtMs: this.nowMs() + leaseMs } })
  }

  /** What was found of a round that has a record. */
  private ruling<Verdict>(verdict: Verdict, key: string): Ruling<Verdict> {
    const submission = this.submissions.get(key)
    const record = this.records.get(key) as RoundRecord
    return { verdict, nowMs: this.nowMs(), record, ...(submission && { submission }) }
  }
}

function restOfDeadline(submission: SubmissionRecord | undefined, nowMs: number): number | undefined {
  const atMs = submission && submissionDeadlineAtMs(submission)
  return atMs === undefined ? undefined : Math.max(1, atMs - nowMs)
}
