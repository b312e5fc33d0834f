import { giveUpAtMs } from '../../core/rounds/call-end.ts'
import type { Candidate, Reporter } from '../../core/rounds/candidate.ts'
import {
  CANCEL_IDENTITY,
  type CompletionVerdict,
  judgeCancellation,
  judgeCompletion,
} from '../../core/rounds/completion.ts'
import { judgeElection, judgeRenewal, provesLeadership } from '../../core/rounds/election.ts'
import {
  hasRoundJob,
  type Submission,
  type SubmissionRecord,
  submissionDeadlineAtMs,
  submissionDigest,
} from '../../core/rounds/job.ts'
import {
  type Completion,
  deadlineAtMs,
  isVacant,
  MAX_DEADLINE_MS,
  MAX_END_REASON_BYTES,
  MAX_ENDS,
  MAX_EVENTS,
  MAX_FORMER,
  MAX_REFUSALS,
  PASS_MARK,
  type RoundEnd,
  type RoundEvent,
  type RoundRecord,
  startMark,
  type Terms,
} from '../../core/rounds/record.ts'
import { parseRoundKey, type RoundId, roundKey } from '../../core/rounds/round.ts'
import { isNamed } from '../../core/rounds/round-filter.ts'
import {
  type CancelRuling,
  type DeadlineRuling,
  type ElectionRuling,
  type FinishRuling,
  type FoundRound,
  type GateLock,
  type HistoryMark,
  isAfter,
  type JobContent,
  type OutboxEntry,
  type OutboxStep,
  type Records,
  type RenewalRuling,
  type Report,
  type RetryOrder,
  type RetryRuling,
  type RoundNews,
  type Ruling,
  type SeenEntry,
  type SeenJob,
  type Sighting,
  type StartBehind,
  type StartRuling,
  type SubmissionRuling,
} from '../../core/rounds/round-ports.ts'

/** The twin of RedisRecords in memory, for tests of what stands on records. It forgets nothing and is gone with the process. */
export class MemoryRecords implements Records, RoundNews {
  private readonly records = new Map<string, RoundRecord>()
  private readonly submissions = new Map<string, SubmissionRecord>()
  private readonly places = new Map<string, HistoryMark>()
  private readonly fences = new Map<string, number>()
  private readonly givenBack = new Map<string, number>()
  protected readonly pending = new Map<string, number>()
  private readonly overdue = new Set<string>()
  private readonly cancelled = new Map<string, JobContent>()
  private readonly openers = new Map<string, string | undefined>()
  private readonly ends = new Map<string, readonly RoundEnd[]>()
  private readonly former = new Map<string, readonly string[]>()
  private readonly events = new Map<string, readonly RoundEvent[]>()
  protected readonly deadlines = new Map<string, number>()
  private readonly toldAgain = new Set<string>()
  private placed = 0
  /** Of the gate, where these records are its one node. */
  readonly locks = new Map<string, { readonly value: string; readonly untilMs: number }>()
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
      if (record.lease) this.extend(key, record, record.lease.ms)
      this.toldAgain.add(key)
      return this.ruling(verdict, key)
    }
    this.lead(id, candidate, terms, gate)
    this.noteLead(key, before)
    this.noteFormer(key, before)
    this.deadlines.set(key, nowMs + terms.deadlineMs)
    if (this.overdue.delete(key)) this.noteLed(key)
    const previous = before && { leader: before.leader, fence: before.fence }
    return { ...this.ruling(verdict, key), ...(previous && { previous }) }
  }

  async submit(id: RoundId, submission: Submission, untakenMs = 0): Promise<SubmissionRuling> {
    const key = roundKey(id)
    const nowMs = this.nowMs()
    const digest = submissionDigest(submission)
    const earlier = this.submissions.get(key)
    if (this.records.has(key) || earlier) {
      if (earlier?.digest === digest)
        this.submissions.set(key, { ...earlier, repeats: (earlier.repeats ?? 0) + 1 })
      return { verdict: 'duplicate', ...(await this.read(id)) }
    }
    const { queue, data, queueTerms, runTerms } = submission
    const notBeforeMs = queueTerms.atMs ?? nowMs + (queueTerms.delayMs ?? 0)
    const isBounded = runTerms.deadlineMs === undefined && untakenMs > 0
    const restMs = Math.max(0, notBeforeMs - nowMs) + untakenMs
    this.submissions.set(key, {
      ...(isBounded && { untakenMs: restMs }),
      queue,
      submittedAtMs: nowMs,
      digest,
      runTerms,
      ...(notBeforeMs > nowMs && { notBeforeMs }),
      pending: { data, queueTerms },
    })
    this.place(id)
    this.pending.set(`${key}~s`, nowMs)
    const deadlineMs = runTerms.deadlineMs ?? (isBounded ? restMs : undefined)
    if (deadlineMs !== undefined) this.deadlines.set(key, nowMs + deadlineMs)
    return { verdict: 'submitted', ...(await this.read(id)) }
  }

  async start(
    id: RoundId,
    candidate: Candidate,
    usual: Terms,
    maxStarts: number,
    { madeForMs, hold, lock, pass }: StartBehind = {},
  ): Promise<StartRuling> {
    const key = roundKey(id)
    const nowMs = this.nowMs()
    const holder = lock && this.locks.get(lock.key)
    const before = this.records.get(key)
    const submission = this.submissions.get(key)
    if (madeForMs !== undefined && submission?.submittedAtMs !== madeForMs) return { verdict: 'another' }
    if (before?.completion) return this.ruling('finished', key)
    const giveUpInMs = submission?.runTerms.call && giveUpAtMs(submission) - nowMs
    const starts = before?.starts ?? 0
    const counted = starts - (this.givenBack.get(key) ?? 0)
    const terms = { runTerms: submission?.runTerms ?? {}, ...(giveUpInMs !== undefined && { giveUpInMs }) }
    if (holder && nowMs < holder.untilMs) {
      if (holder.value !== lock.value || before?.identity !== candidate.identity) return { verdict: 'held' }
      return { verdict: 'started', fence: before.fence, nth: counted, ...terms }
    }
    const by = pass === undefined ? hold : PASS_MARK + pass
    const isSame = by !== undefined && before?.gate !== undefined && startMark(before.gate) === startMark(by)
    if (isSame && before.identity === candidate.identity)
      return { verdict: 'started', fence: before.fence, nth: counted, ...terms }
    if (giveUpInMs !== undefined && giveUpInMs <= 0) return { verdict: 'late', fence: before?.fence ?? 0 }
    if (before && !isVacant(before) && before.identity !== candidate.identity) return this.ruling('lost', key)
    const deadlineMs = restOfDeadline(submission, nowMs) ?? usual.deadlineMs
    if (before && counted >= (terms.runTerms.ifExecutorDies === 'fail' ? 1 : maxStarts))
      return this.ruling('spent', key)
    const restMs = (submission?.notBeforeMs ?? nowMs) - nowMs
    if (restMs > 0) return { verdict: 'early', restMs }
    if (lock) this.locks.set(lock.key, { value: lock.value, untilMs: nowMs + lock.ttlMs })
    const place = this.places.get(key)
    if (starts > 0) this.noteLead(key, before)
    const record = { ...this.lead(id, candidate, { deadlineMs }, by), starts: starts + 1 }
    this.records.set(key, record)
    if (place) this.places.set(key, place)
    return { verdict: 'started', fence: record.fence, nth: counted + 1, ...terms }
  }

  async giveBack(id: RoundId, fence: number): Promise<void> {
    const key = roundKey(id)
    const record = this.records.get(key)
    const isBack = this.events.get(key)?.some((event) => event.kind === 'givenBack' && event.fence === fence)
    if (record?.fence !== fence || isBack || record.completion) return
    this.givenBack.set(key, (this.givenBack.get(key) ?? 0) + 1)
    this.note(key, { kind: 'givenBack', atMs: this.nowMs(), fence })
  }

  async noteFailure(id: RoundId, fence: number, reason: string): Promise<void> {
    const key = roundKey(id)
    const record = this.records.get(key)
    if (record?.fence !== fence || record.completion) return
    this.note(key, { kind: 'failed', atMs: this.nowMs(), fence, reason: cutReason(reason) })
  }

  private noteLead(key: string, before: RoundRecord | undefined): void {
    if (before === undefined || isVacant(before)) return
    const { starts, electedAtMs, leader, leaderName, fence } = before
    const kind = starts ? 'started' : 'led'
    this.note(key, { kind, atMs: electedAtMs, by: leaderName ?? leader, fence })
  }

  /** Where the round is opened again, what this leader reports by its token is from before. */
  private noteFormer(key: string, before: RoundRecord | undefined): void {
    if (before === undefined || !/^[^~#]/.test(before.identity)) return
    const earlier = (this.former.get(key) ?? []).filter((identity) => identity !== before.identity)
    this.former.set(key, [before.identity, ...earlier].slice(0, 1 + MAX_FORMER))
  }

  private note(key: string, event: RoundEvent): void {
    const events = this.events.get(key) ?? []
    const refusals = events.filter(({ kind }) => kind === 'refused').length
    if (event.kind === 'refused' && refusals >= MAX_REFUSALS) return
    this.events.set(key, [...events, event].slice(-MAX_EVENTS))
  }

  async renew(id: RoundId, reporter: Reporter, leaseMs?: number): Promise<RenewalRuling> {
    const key = roundKey(id)
    const record = this.records.get(key)
    const verdict = judgeRenewal(record, reporter)
    if (record === undefined || verdict === 'notLed') return { verdict: 'notLed' }
    if (verdict === 'renewed' && record.lease) this.extend(key, record, leaseMs ?? record.lease.ms)
    if (verdict === 'renewed') this.toldAgain.add(key)
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
    if (verdict === 'refused') {
      const { address: by, fence } = reporter
      const { outcome } = report
      this.note(key, { kind: 'refused', atMs: nowMs, by, ...(fence !== undefined && { fence }), outcome })
    }
    if (verdict !== 'recorded') return this.ruling(verdict, key)
    const isLed = before !== undefined && !isVacant(before)
    const led = isLed ? before : this.lead(id, reporter, { deadlineMs: terms.deadlineMs })
    const isLeader = !isLed || provesLeadership(led, reporter)
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
    this.deadlines.delete(key)
    for (const onFinished of this.listeners.get(key) ?? []) onFinished()
    return this.ruling(verdict, key)
  }

  async finish(id: RoundId, job: Required<Reporter>, report: Report, lock?: GateLock): Promise<FinishRuling> {
    if (lock && this.locks.get(lock.key)?.value === lock.value) this.locks.delete(lock.key)
    const { verdict, ...ruling } = await this.complete(id, job, report, { deadlineMs: MAX_DEADLINE_MS })
    return verdict === 'refused' ? { verdict, ...ruling } : { verdict }
  }

  async cancel(id: RoundId, by: string, reason: string, seen: SeenJob): Promise<CancelRuling> {
    const key = roundKey(id)
    const record = this.records.get(key)
    const submission = this.submissions.get(key)
    const isThere = record !== undefined || submission !== undefined
    if (!isThere || submission?.submittedAtMs !== seen.submittedAtMs) return { verdict: 'another' }
    const verdict = judgeCancellation(record)
    if (verdict !== 'cancelled') return this.ruling(verdict, key)
    const who = {
      address: by,
      identity: CANCEL_IDENTITY,
      ...(record && !isVacant(record) && { fence: record.fence }),
    }
    const report = { outcome: 'failed', detail: reason } as const
    const { record: ended } = await this.complete(id, who, report, { deadlineMs: MAX_DEADLINE_MS })
    const completion = ended.completion as Completion
    this.records.set(key, { ...ended, completion: { ...completion, identity: CANCEL_IDENTITY } })
    const job = submission?.pending ?? seen.job
    if (job) this.cancelled.set(key, job)
    return this.ruling(verdict, key)
  }

  async retry(id: RoundId, order: RetryOrder, seen: SeenJob): Promise<RetryRuling> {
    const key = roundKey(id)
    const nowMs = this.nowMs()
    const record = this.records.get(key)
    const submission = this.submissions.get(key)
    const isThere = record !== undefined || submission !== undefined
    const completion = record?.completion
    const isMine = isAgain(order, this.openers.get(key))
    if (isMine && record?.fence !== order.fence && completion?.outcome !== 'completed')
      return { verdict: 'opened', ...(await this.read(id)) }
    if (!isThere || submission?.submittedAtMs !== seen.submittedAtMs) return { verdict: 'another' }
    if (completion?.outcome === 'completed') return { verdict: 'completed', ...(await this.read(id)) }
    const atMs = record ? deadlineAtMs(record) : submission && submissionDeadlineAtMs(submission)
    if (!completion && nowMs < (atMs ?? Number.POSITIVE_INFINITY))
      return {
        verdict: isMine ? 'opened' : 'running',
        ...(await this.read(id)),
      }
    const job = submission?.pending ?? this.cancelled.get(key) ?? seen.job
    if (submission && job === undefined) return { verdict: 'jobGone', ...(await this.read(id)) }
    const end: RoundEnd = {
      outcome: completion ? 'failed' : 'overdue',
      ...(record?.leader && { leader: record.leader }),
      ...(record && { fence: record.fence }),
      ...(completion && { by: completion.by }),
      atMs: completion?.atMs ?? atMs ?? nowMs,
      ...(completion?.detail && { reason: cutReason(completion.detail) }),
      retriedAtMs: nowMs,
      retriedBy: order.by,
      ...(order.reason !== undefined && { retriedFor: cutReason(order.reason) }),
    }
    if (submission && !record?.reopened)
      this.note(key, { kind: 'submitted', atMs: submission.submittedAtMs, by: submission.queue })
    this.noteLead(key, record)
    this.openers.set(key, order.identity)
    this.ends.set(key, [end, ...(this.ends.get(key) ?? [])].slice(0, MAX_ENDS))
    this.reopen(id, submission?.runTerms.deadlineMs ?? order.deadlineMs)
    if (submission && job) this.resubmit(key, submission, job)
    this.deadlines.set(key, nowMs + (submission?.runTerms.deadlineMs ?? order.deadlineMs))
    if (submission?.runTerms.deadlineMs !== undefined || !submission) this.noteLed(key)
    return { verdict: 'opened', ...(await this.read(id)) }
  }

  /** Under a fence that is nobody's. */
  private reopen(id: RoundId, deadlineMs: number): void {
    const key = roundKey(id)
    const place = this.places.get(key)
    const before = this.records.get(key)
    this.noteFormer(key, before)
    const record = this.lead(id, { address: before?.leader ?? '', identity: '' }, { deadlineMs })
    const isJob = this.submissions.has(key)
    this.records.set(key, {
      ...record,
      lease: { ms: 0, expiresAtMs: record.electedAtMs },
      ...(before?.gate !== undefined && { gate: before.gate }),
      ...(isJob && { starts: 0 }),
      reopened: { fence: record.fence, former: this.former.get(key) ?? [] },
    })
    if (isJob && place) this.places.set(key, place)
    this.overdue.delete(key)
    this.givenBack.delete(key)
    this.cancelled.delete(key)
  }

  private resubmit(key: string, { notBeforeMs: _, ...before }: SubmissionRecord, job: JobContent): void {
    const submittedAtMs = Math.max(this.nowMs(), before.submittedAtMs + 1)
    this.submissions.set(key, { ...before, submittedAtMs, pending: job })
    this.pending.set(`${key}~s`, this.nowMs())
  }

  async vacate(id: RoundId, { identity, fence }: { identity: string; fence: number }): Promise<boolean> {
    const key = roundKey(id)
    const record = this.records.get(key)
    if (record?.identity !== identity || record.fence !== fence) return false
    if (record.completion || this.toldAgain.has(key)) return false
    const { leaderName: _, ...rest } = record
    this.records.set(key, { ...rest, identity: '', lease: { ms: 0, expiresAtMs: record.electedAtMs } })
    return true
  }

  async kept(id: RoundId): Promise<JobContent | undefined> {
    return this.cancelled.get(roundKey(id))
  }

  async read(id: RoundId): Promise<Sighting> {
    const record = this.records.get(roundKey(id))
    const submission = this.submissions.get(roundKey(id))
    const history = this.ends.get(roundKey(id))
    const events = this.events.get(roundKey(id))
    return {
      nowMs: this.nowMs(),
      ...(record && { record }),
      ...(submission && { submission }),
      ...(history && { history }),
      ...(events && { events }),
    }
  }

  async readAll(ids: readonly RoundId[]): Promise<readonly Sighting[]> {
    return Promise.all(ids.map((id) => this.read(id)))
  }

  async expire(id: RoundId): Promise<DeadlineRuling> {
    const nowMs = this.nowMs()
    const key = roundKey(id)
    const record = this.records.get(key)
    const submission = this.submissions.get(key)
    this.deadlines.delete(key)
    if (record?.completion) return this.ruling('finished', key)
    const atMs = record ? deadlineAtMs(record) : submission && submissionDeadlineAtMs(submission)
    if (atMs === undefined) return { verdict: 'notLed' }
    if (nowMs < atMs) {
      this.deadlines.set(key, atMs)
      return { verdict: 'pending', restMs: atMs - nowMs }
    }
    this.setUntaken(key, atMs)
    const now = this.submissions.get(key)
    const seen = { ...(record && { record }), ...(now && { submission: now }) }
    if (!this.overdue.has(key) && hasRoundJob(seen)) this.pending.set(`${key}~o`, nowMs)
    this.overdue.add(key)
    return record ? this.ruling('overdue', key) : { verdict: 'notStarted' }
  }

  /** From now on the board shows what becomes of a round that nobody has taken. */
  private setUntaken(key: string, atMs: number): void {
    const submission = this.submissions.get(key)
    if (submission === undefined || submission.runTerms.deadlineMs !== undefined) return
    if (this.records.get(key)?.starts) return
    const deadlineMs = atMs - submission.submittedAtMs
    this.submissions.set(key, { ...submission, runTerms: { ...submission.runTerms, deadlineMs } })
  }

  async history(query: { system?: string; after?: HistoryMark; text?: string; limit: number }) {
    const { after, text = '' } = query
    const found = [...this.places]
      .filter(([, { system }]) => query.system === undefined || system === query.system)
      .filter(([, mark]) => after === undefined || isAfter(mark, after))
      .sort(([, a], [, b]) => (isAfter(b, a) ? -1 : 1))
    const page = found.slice(0, query.limit)
    const all = page.map(async ([key, mark], nth): Promise<FoundRound> => {
      const { nowMs: _, ...seen } = await this.read(parseRoundKey(key))
      return { id: parseRoundKey(key), mark, nth, ...seen }
    })
    const rounds = (await Promise.all(all)).filter(({ id }) => isNamed(id, text))
    const last = found.length > page.length ? page.at(-1)?.[1] : undefined
    return { rounds, looked: page.length, nowMs: this.nowMs(), ...(last && { next: last }) }
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

  async due(limit: number) {
    const nowMs = this.nowMs()
    const due = [...this.deadlines].filter(([, atMs]) => atMs <= nowMs).map(([key]) => parseRoundKey(key))
    const nextMs = Math.min(...[...this.deadlines.values()].filter((atMs) => atMs > nowMs))
    return { due: due.slice(0, limit), nextInMs: nextMs - nowMs }
  }

  async overdueCount(): Promise<number> {
    return this.overdue.size
  }

  async outbox(ageMs: number, limit: number): Promise<readonly OutboxEntry[]> {
    const before = this.nowMs() - ageMs
    const left = [...this.pending].filter(([, sinceMs]) => sinceMs <= before).map(([entry]) => entryOf(entry))
    const nth = new Map<string, number>()
    const inShare = left.map(({ id }) => {
      const count = (nth.get(id.system) ?? 0) + 1
      nth.set(id.system, count)
      return count <= FAIR_SHARE
    })
    // A share of each system first.
    return [
      ...left.filter((_, index) => inShare[index]),
      ...left.filter((_, index) => !inShare[index]),
    ].slice(0, limit)
  }

  acknowledge(id: RoundId, step: OutboxStep, seen: Sighting): void {
    const key = roundKey(id)
    const entry = { submitted: `${key}~s`, led: key, overdue: `${key}~o`, finished: `${key}~` }[step]
    const submission = this.submissions.get(key)
    if (step !== 'submitted') {
      if ((this.pending.get(entry) ?? 0) <= seen.nowMs) this.pending.delete(entry)
      return
    }
    if (submission?.submittedAtMs !== seen.submission?.submittedAtMs) return
    this.pending.delete(entry)
    if (!submission) return
    const { pending: _, ...queued } = submission
    this.submissions.set(key, queued)
  }

  async claim(): Promise<boolean> {
    return true
  }

  async release(): Promise<void> {}

  async acknowledgeEntries(told: readonly SeenEntry[]): Promise<void> {
    for (const { entry, seen } of told) this.acknowledge(entry.id, entry.step, seen)
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
    const reopened = this.records.get(roundKey(id))?.reopened
    const record: RoundRecord = {
      leader: candidate.address,
      ...(candidate.name !== undefined && { leaderName: candidate.name }),
      identity: candidate.identity,
      fence,
      electedAtMs: nowMs,
      deadlineMs: terms.deadlineMs,
      ...(terms.leaseMs && { lease: { ms: terms.leaseMs, expiresAtMs: nowMs + terms.leaseMs } }),
      ...(gate && { gate }),
      ...(reopened && { reopened }),
    }
    this.records.set(roundKey(id), record)
    this.toldAgain.delete(roundKey(id))
    this.place(id)
    return record
  }

  private noteLed(key: string): void {
    this.pending.delete(`${key}~o`)
    this.pending.set(key, this.nowMs())
  }

  /** Puts the round on top of the history. */
  private place(id: RoundId): void {
    if (this.submissions.get(roundKey(id))?.runTerms.call) return
    this.placed += 1
    this.places.set(roundKey(id), { atMs: this.nowMs(), number: this.placed, system: id.system })
  }

  private extend(key: string, record: RoundRecord, leaseMs: number): void {
    const expiresAtMs = Math.max(record.lease?.expiresAtMs ?? 0, this.nowMs() + leaseMs)
    this.records.set(key, { ...record, lease: { ms: leaseMs, expiresAtMs } })
  }

  /** What was found of a round that has a record. */
  private ruling<Verdict>(verdict: Verdict, key: string): Ruling<Verdict> {
    const submission = this.submissions.get(key)
    const record = this.records.get(key) as RoundRecord
    const history = this.ends.get(key)
    const events = this.events.get(key)
    return {
      verdict,
      nowMs: this.nowMs(),
      record,
      ...(submission && { submission }),
      ...(history && { history }),
      ...(events && { events }),
    }
  }
}

const FAIR_SHARE = 25

function entryOf(entry: string): OutboxEntry {
  const [system, round, mark] = entry.split('~')
  const step = mark === undefined ? 'led' : (STEP_OF_MARK[mark] as OutboxStep)
  return { id: parseRoundKey(`${system}~${round}`), step, entry }
}

const STEP_OF_MARK: Readonly<Record<string, OutboxStep>> = { s: 'submitted', o: 'overdue', '': 'finished' }

function restOfDeadline(submission: SubmissionRecord | undefined, nowMs: number): number | undefined {
  const deadlineMs = submission?.runTerms.deadlineMs
  return submission && deadlineMs && Math.max(1, submission.submittedAtMs + deadlineMs - nowMs)
}

/** As retry.lua cuts it: to so many bytes, and no half of a character. */
function cutReason(text: string): string {
  const bytes = Buffer.from(text)
  let end = Math.min(bytes.length, MAX_END_REASON_BYTES)
  while (end > 0 && end < bytes.length && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1
  return bytes.subarray(0, end).toString()
}

/** True for a call that is sent again, because its answer was lost. */
function isAgain({ identity }: RetryOrder, opener: string | undefined): boolean {
  return identity !== undefined && identity === opener
}
