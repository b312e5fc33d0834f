import type { Candidate, Reporter } from '../../core/rounds/candidate.ts'
import {
  CANCEL_IDENTITY,
  type CancelVerdict,
  type CompletionVerdict,
  type RetryVerdict,
} from '../../core/rounds/completion.ts'
import type { ElectionVerdict } from '../../core/rounds/election.ts'
import {
  type RunTerms,
  type Submission,
  type SubmissionRecord,
  submissionDigest,
} from '../../core/rounds/job.ts'
import {
  type Completion,
  MAX_DEADLINE_MS,
  PASS_MARK,
  type RoundEnd,
  type RoundEvent,
  type RoundRecord,
  type Terms,
} from '../../core/rounds/record.ts'
import { escapePart, type RoundId, roundKey } from '../../core/rounds/round.ts'
import { isNamed } from '../../core/rounds/round-filter.ts'
import type {
  CancelRuling,
  DeadlineRuling,
  ElectionRuling,
  FinishRuling,
  FoundRound,
  GateLock,
  HistoryMark,
  JobContent,
  OutboxEntry,
  OutboxStep,
  Records,
  RenewalRuling,
  Report,
  RetryOrder,
  RetryRuling,
  Ruling,
  SeenEntry,
  SeenJob,
  Sighting,
  StartBehind,
  StartRuling,
  SubmissionRuling,
} from '../../core/rounds/round-ports.ts'
import { attempt } from '../../redis/attempt.ts'
import type { RedisClient } from '../../redis/connections.ts'
import { ioredis } from '../../redis/ioredis.ts'
import { redisNowMs } from '../../redis/redis-clock.ts'
import { type Argument, defineSteps, luaOf, type Steps } from '../../redis/steps.ts'
import { roundChannel } from '../round-channel.ts'
import { Deadlines } from './deadlines.ts'
import { answered, lookAtEach } from './each-system.ts'
import { entriesOf, Histories, type HistoryStart, markOf } from './histories.ts'
import { Acknowledgements, outboxEntriesOf } from './outbox.ts'
import { keyOf, recordKeyOf } from './record-keys.ts'
import { MAX_STRETCHES, SystemIndex, type SystemWalk, TOUCH_MS } from './system-index.ts'

/** What touches the record alone. It goes on while the Cluster slot moves. */
const RECORD_STEPS = ['renew', 'read', 'vacate', 'give-back', 'note-failure'] as const
/** What touches the system's other keys, too: all of them are named, in the order that record.lua tells. */
const SYSTEM_STEPS = [
  'decide',
  'complete',
  'fail',
  'finish',
  'expire',
  'submit',
  'start',
  'cancel',
  'retry',
] as const
/** What may touch the gate's lock, too, where that is kept by the same server: no Cluster, as its key is in another slot. */
const GATED_STEPS = ['start', 'finish'] as const
/** What only reads, of many systems at once. */
const MANY_STEPS = ['read-all', 'newest', 'heads'] as const
const SYSTEM_KEYS = ['fence', 'history', 'outbox', 'overdue', 'deadlines'] as const

type Fields = Readonly<Record<string, string>>

/** A system may have been used since for so long as it is not said again, and then some. */
const USED_SINCE_MS = TOUCH_MS + 3_000
/** Of one system at first, so that all that have something left have their turn. */
const FAIR_SHARE = 25
/** Systems that are counted no more after one count. */
const RESTED_AT_ONCE = 500
/** How long a system's outbox is one process' own to empty. */
const CLAIM_MS = 2_000
/** Rounds, and systems, of which a script reads together: it takes Redis a ms or two. */
const READ_AT_ONCE = 200
const STREAMS_AT_ONCE = 200

/** Runs the step `submit`, in one with what queues the job. */
export type SubmitAlong = (
  id: RoundId,
  submission: Submission,
  step: { readonly keys: readonly string[]; readonly own: readonly string[] },
) => Promise<unknown[]>

/** The step that records a submission, for whoever runs it along with its own. */
export const SUBMIT_LUA = luaOf(import.meta.url, 'record', 'submit')

/** Records in Redis: one Lua script a step, all keys of a system in one Cluster slot and named to the script. */
export class RedisRecords implements Records {
  private readonly recordSteps: Steps<(typeof RECORD_STEPS)[number]>
  private readonly systemSteps: Steps<(typeof SYSTEM_STEPS)[number]>
  private readonly gatedSteps: Steps<(typeof GATED_STEPS)[number]>
  private readonly manySteps: Steps<(typeof MANY_STEPS)[number]>
  private readonly isCluster: boolean
  private readonly index: SystemIndex
  private readonly histories: Histories
  private readonly deadlines: Deadlines
  private readonly outboxWalk: SystemWalk
  private readonly acknowledgements: Acknowledgements

  constructor(
    private readonly redis: RedisClient,
    private readonly retentionMs: number,
    private readonly submitAlong?: SubmitAlong,
  ) {
    const shared = { beside: import.meta.url, prefix: 'gone' }
    const ofRecords = { ...shared, prelude: 'record' }
    this.isCluster = redis instanceof ioredis.Cluster
    this.manySteps = defineSteps(redis, { ...shared, names: MANY_STEPS })
    this.recordSteps = defineSteps(redis, { ...ofRecords, names: RECORD_STEPS, keyCount: 1 })
    const keyCount = 1 + SYSTEM_KEYS.length
    this.systemSteps = defineSteps(redis, { ...ofRecords, names: SYSTEM_STEPS, keyCount })
    this.gatedSteps = defineSteps(redis, {
      ...ofRecords,
      prefix: 'gone_gated',
      names: GATED_STEPS,
      keyCount: keyCount + 1,
    })
    this.index = new SystemIndex(redis, retentionMs)
    this.histories = new Histories({
      index: this.index,
      read: (starts, count, sinceMs) => this.readHistories(starts, count, sinceMs),
      heads: (starts) => this.readHeads(starts),
      usedSinceMs: USED_SINCE_MS,
    })
    this.deadlines = new Deadlines(redis, this.index)
    this.outboxWalk = this.index.walk()
    this.acknowledgements = new Acknowledgements(redis)
  }

  async decide(id: RoundId, candidate: Candidate, terms: Terms, gate = ''): Promise<ElectionRuling> {
    return this.attempt('decide who leads', id, async () => {
      const reply = await this.step('decide', id, [
        candidate.address,
        candidate.identity,
        terms.leaseMs ?? 0,
        terms.deadlineMs,
        gate,
        candidate.name ?? '',
      ])
      if (typeof reply[2] === 'number') return newlyElected(candidate, terms, reply[2], Number(reply[1]))
      const ruling = rulingOf<ElectionVerdict>(reply)
      if (ruling.verdict !== 'takenOver') return ruling
      return { ...ruling, previous: { leader: String(reply[3]), fence: Number(reply[4]) } }
    })
  }

  async submit(id: RoundId, submission: Submission, untakenMs = 0): Promise<SubmissionRuling> {
    return this.attempt('submit', id, async () => {
      const { queue, data, queueTerms, runTerms } = submission
      const own = [
        queue,
        submissionDigest(submission),
        JSON.stringify({ data, queueTerms }),
        Object.keys(runTerms).length > 0 ? JSON.stringify(runTerms) : '',
        queueTerms.delayMs ?? '',
        queueTerms.atMs ?? '',
        untakenMs,
      ]
      const along = this.submitAlong
      const waits = queueTerms.delayMs !== undefined || queueTerms.atMs !== undefined
      // BullMQ must be told how long a job waits, which only this step finds out.
      const reply =
        along && !waits
          ? await this.run((keys, all) => along(id, submission, { keys, own: all.map(String) }), id, [], own)
          : await this.step('submit', id, own)
      return { verdict: reply[0] as SubmissionRuling['verdict'], ...sightingOf(reply) }
    })
  }

  async start(
    id: RoundId,
    candidate: Candidate,
    terms: Terms,
    maxStarts: number,
    {
      madeForMs = '',
      hold = '',
      lock,
      pass,
    }: Omit<StartBehind, 'madeForMs'> & { madeForMs?: number | '' } = {},
  ): Promise<StartRuling> {
    const { address, identity } = candidate
    return this.attempt('start', id, async () => {
      const by = pass === undefined ? hold : PASS_MARK + pass
      const own = [address, identity, terms.deadlineMs, maxStarts, madeForMs, by]
      return startRulingOf(await this.gatedStep('start', id, own, lock))
    })
  }

  async giveBack(id: RoundId, fence: number): Promise<void> {
    await this.attempt('give back', id, () => this.recordStep('give-back', id, [fence]))
  }

  async noteFailure(id: RoundId, fence: number, reason: string): Promise<void> {
    await this.attempt('note a failure of', id, () => this.recordStep('note-failure', id, [fence, reason]))
  }

  async renew(id: RoundId, reporter: Reporter, leaseMs = 0): Promise<RenewalRuling> {
    return this.attempt('renew the lease of', id, async () => {
      const reply = await this.recordStep('renew', id, [reporter.identity, reporter.fence ?? '', leaseMs])
      return reply[0] === 'notLed' ? { verdict: 'notLed' } : rulingOf(reply)
    })
  }

  async complete(
    id: RoundId,
    reporter: Reporter,
    report: Report,
    terms: Terms,
  ): Promise<Ruling<CompletionVerdict>> {
    const step = report.outcome === 'completed' ? 'complete' : 'fail'
    return this.attempt('record the end of', id, async () => {
      const reply = await this.step(step, id, [
        reporter.address,
        reporter.identity,
        reporter.fence ?? '',
        report.detail,
        terms.deadlineMs,
        roundChannel(id),
      ])
      return rulingOf(reply)
    })
  }

  async finish(
    id: RoundId,
    job: Required<Reporter>,
    { outcome, detail }: Report,
    lock?: GateLock,
  ): Promise<FinishRuling> {
    const { address, identity, fence } = job
    return this.attempt('record the end of', id, async () => {
      const channel = roundChannel(id)
      const own = [
        address,
        identity,
        fence,
        detail,
        MAX_DEADLINE_MS,
        channel,
        outcome === 'completed' ? 'c' : 'f',
      ]
      return finishRulingOf(await this.gatedStep('finish', id, own, lock))
    })
  }

  async cancel(id: RoundId, by: string, reason: string, seen: SeenJob): Promise<CancelRuling> {
    return this.attempt('cancel', id, async () => {
      const reply = await this.step('cancel', id, [
        by,
        CANCEL_IDENTITY,
        '',
        reason,
        MAX_DEADLINE_MS,
        roundChannel(id),
        seen.submittedAtMs ?? '',
        seen.job ? JSON.stringify(seen.job) : '',
      ])
      return reply[0] === 'another' ? { verdict: 'another' } : rulingOf<CancelVerdict>(reply)
    })
  }

  async retry(
    id: RoundId,
    { by, reason, identity, fence, deadlineMs }: RetryOrder,
    seen: SeenJob,
  ): Promise<RetryRuling> {
    return this.attempt('open again', id, async () => {
      const reply = await this.step('retry', id, [
        seen.submittedAtMs ?? '',
        seen.job ? JSON.stringify(seen.job) : '',
        deadlineMs,
        by,
        reason ?? '',
        identity ?? '',
        fence ?? '',
      ])
      if (reply[0] === 'another') return { verdict: 'another' }
      return { verdict: reply[0] as RetryVerdict, ...sightingOf(reply) }
    })
  }

  async vacate(id: RoundId, { identity, fence }: { identity: string; fence: number }): Promise<boolean> {
    return this.attempt('take back who leads', id, async () => {
      const [verdict] = await this.recordStep('vacate', id, [identity, fence])
      return verdict === 'vacated'
    })
  }

  async kept(id: RoundId): Promise<JobContent | undefined> {
    return this.attempt('read', id, async () => {
      const job = await this.redis.hget(recordKeyOf(id), 'k')
      return job === null ? undefined : (JSON.parse(job) as JobContent)
    })
  }

  async read(id: RoundId): Promise<Sighting> {
    return this.attempt('read', id, async () => {
      return sightingOf(await this.recordStep('read', id, []))
    })
  }

  async readAll(ids: readonly RoundId[]): Promise<readonly Sighting[]> {
    return this.attempt('read rounds', undefined, async () => {
      const groups = this.inOneSlot(ids, ({ system }) => system, READ_AT_ONCE)
      const found = new Map<RoundId, Sighting>()
      await Promise.all(
        groups.map(async (some) => {
          const [nowMs, ...records] = await this.manySteps['read-all'](some.length, ...some.map(recordKeyOf))
          for (const [index, id] of some.entries()) found.set(id, sightingOf(['read', nowMs, records[index]]))
        }),
      )
      return ids.map((id) => found.get(id) as Sighting)
    })
  }

  /** In parts that one script may be sent of: in a Cluster only what is of one system is in one slot for certain. */
  private inOneSlot<Item>(items: readonly Item[], systemOf: (item: Item) => string, most: number): Item[][] {
    const groups = new Map<string, Item[]>()
    for (const item of items) {
      const group = this.isCluster ? systemOf(item) : ''
      const known = groups.get(group)
      if (known) known.push(item)
      else groups.set(group, [item])
    }
    return [...groups.values()].flatMap((group) =>
      Array.from({ length: Math.ceil(group.length / most) }, (_, n) => group.slice(n * most, (n + 1) * most)),
    )
  }

  async expire(id: RoundId): Promise<DeadlineRuling> {
    return this.attempt('judge the deadline of', id, async () => {
      const noted = this.index.noteOverdue(id.system)
      const [reply] = await Promise.all([this.step('expire', id, []), noted])
      const [verdict, restMs] = reply
      if (verdict === 'pending') return { verdict, restMs: Number(restMs) }
      return verdict === 'notLed' || verdict === 'notStarted' ? { verdict } : rulingOf(reply)
    })
  }

  async history(query: { system?: string; after?: HistoryMark; text?: string; limit: number }) {
    return this.attempt('read the history', undefined, async () => {
      const entries = await this.histories.of(query)
      const page = entries.slice(0, query.limit)
      const { text = '' } = query
      const wanted = page.flatMap((entry, nth) => (isNamed(entry.id, text) ? [{ ...entry, nth }] : []))
      const seen = await this.readAll(wanted.map(({ id }) => id))
      const rounds = wanted.flatMap(({ id, mark, fence, nth }, index): FoundRound[] => {
        const { nowMs: _, ...sight } = seen[index] ?? { nowMs: 0 }
        if (!(sight.record || sight.submission) || fence !== listedFence(sight.record)) return []
        return [{ id, mark, nth, ...sight }]
      })
      const last = entries.length > page.length ? page.at(-1) : undefined
      return { rounds, looked: page.length, nowMs: seen[0]?.nowMs ?? 0, ...(last && { next: last.mark }) }
    })
  }

  async came(query: { system: string; fromMs: number; untilMs: number; limit: number }) {
    const { system, fromMs, untilMs, limit } = query
    return this.attempt(`read which rounds of ${system} came`, undefined, async () => {
      const until = `(${Math.ceil(untilMs)}-0`
      const from = String(Math.max(0, Math.floor(fromMs)))
      const entries = await this.redis.xrange(keyOf(system, 'history'), from, until, 'COUNT', limit)
      const firsts = new Map<string, { id: RoundId; cameAtMs: number }>()
      for (const { id, mark } of entriesOf(system, entries)) {
        if (!firsts.has(id.round)) firsts.set(id.round, { id, cameAtMs: mark.atMs })
      }
      const all = [...firsts.values()]
      const seen = await this.readAll(all.map(({ id }) => id))
      return all.map((first, index) => ({ ...first, ...(seen[index] as Sighting) }))
    })
  }

  async due(limit: number, expected?: readonly string[]) {
    return this.attempt('look for deadlines', undefined, () => this.deadlines.due(limit, expected))
  }

  async overdueCount(): Promise<number> {
    return this.attempt('count overdue rounds', undefined, async () => {
      const [nowMs, indexed] = await Promise.all([redisNowMs(this.redis), this.index.overdue()])
      const looks = await lookAtEach(
        this.redis,
        indexed.map(({ system }) => system),
        (system) => [['zcard', keyOf(system, 'overdue')]],
      )
      const failures: unknown[] = []
      const counts = answered(indexed, looks, failures)
      // A number that leaves out the systems of a node that is away would be wrong.
      if (failures.length > 0) throw failures[0]
      const none = counts.filter(({ answers }) => Number(answers[0]) === 0)
      await Promise.all(none.slice(0, RESTED_AT_ONCE).map(({ of }) => this.index.restOverdue(of, nowMs)))
      return counts.reduce((sum, { answers }) => sum + Number(answers[0]), 0)
    })
  }

  async outbox(ageMs: number, limit: number): Promise<readonly OutboxEntry[]> {
    return this.attempt('read the outbox', undefined, async () => {
      const before = (await redisNowMs(this.redis)) - ageMs
      const found: OutboxEntry[] = []
      const failures: unknown[] = []
      for (let stretch = 0; stretch < MAX_STRETCHES && found.length < limit; stretch += 1) {
        const { active, others, isRound } = await this.outboxWalk.next()
        const systems = [...active, ...others].map(({ system }) => system)
        found.push(...(await this.leftOf(systems, before, limit - found.length, failures)))
        if (isRound) break
      }
      if (found.length === 0 && failures.length > 0) throw failures[0]
      return found
    })
  }

  async claim(system: string): Promise<boolean> {
    return this.attempt('claim an outbox', undefined, async () => {
      const claimed = await this.redis.set(keyOf(system, 'sweep'), '1', 'PX', CLAIM_MS, 'NX')
      return claimed === 'OK'
    })
  }

  async release(system: string): Promise<void> {
    await this.attempt('release an outbox', undefined, () => this.redis.del(keyOf(system, 'sweep')))
  }

  acknowledge(id: RoundId, step: OutboxStep, seen: Sighting): void {
    this.acknowledgements.note(id, step, seen)
  }

  async acknowledgeEntries(told: readonly SeenEntry[]): Promise<void> {
    await this.attempt('acknowledge outbox entries', undefined, () => this.acknowledgements.send(told))
  }

  /** True once every system was looked at that older builds may have left something in. */
  get hasGoneRound(): boolean {
    return this.deadlines.hasGoneRound && this.outboxWalk.hasGoneRound
  }

  /** Says that a system is in use, where no step of this object does. What fails here is said with the next use. */
  noteUsed(system: string): void {
    this.index.touch(system)?.catch(() => undefined)
  }

  /** Lists systems anew as they are used: the store may have lost that they are listed. */
  relist(): void {
    this.index.forget()
  }

  /** Sends what was acknowledged. What is lost here stays in the outbox, and is done again without harm. */
  flush(): Promise<void> {
    return this.acknowledgements.flush()
  }

  private step(name: (typeof SYSTEM_STEPS)[number], id: RoundId, own: Argument[]): Promise<unknown[]> {
    return this.run((keys, all) => this.systemSteps[name](...keys, ...all), id, [], own)
  }

  private gatedStep(
    name: (typeof GATED_STEPS)[number],
    id: RoundId,
    own: Argument[],
    lock: GateLock | undefined,
  ): Promise<unknown[]> {
    if (lock === undefined) return this.step(name, id, own)
    const step = (keys: readonly string[], all: readonly Argument[]) => this.gatedSteps[name](...keys, ...all)
    return this.run(step, id, [lock.key], [...own, lock.value, lock.ttlMs])
  }

  private async run(
    step: (keys: readonly string[], all: readonly Argument[]) => Promise<unknown[]>,
    { system, round }: RoundId,
    besides: readonly string[],
    own: readonly Argument[],
  ): Promise<unknown[]> {
    const escaped = escapePart(round)
    const all = `gone:{${escapePart(system)}}:`
    const keys = [`${all}round:${escaped}`, ...SYSTEM_KEYS.map((key) => all + key), ...besides]
    // Sent together and answered together: one round trip.
    const touched = this.index.touch(system)
    const done = step(keys, [escaped, this.retentionMs, ...own])
    if (touched === undefined) return done
    const [reply] = await Promise.all([done, touched])
    return reply
  }

  private recordStep(name: (typeof RECORD_STEPS)[number], id: RoundId, own: Argument[]): Promise<unknown[]> {
    return this.recordSteps[name](recordKeyOf(id), escapePart(id.round), this.retentionMs, ...own)
  }

  private readHistories(starts: readonly HistoryStart[], count: number, sinceMs: number) {
    return this.ofEach(
      starts,
      (keys, froms) => this.manySteps.newest(keys.length, ...keys, count, sinceMs, ...froms),
      ({ system }, page) => entriesOf(system, page),
    )
  }

  private readHeads(starts: readonly HistoryStart[]): Promise<readonly (HistoryMark | undefined)[]> {
    return this.ofEach(
      starts,
      (keys, froms) => this.manySteps.heads(keys.length, ...keys, ...froms),
      ({ system }, head) => (head === '' ? undefined : markOf(system, head as string)),
    )
  }

  /** Asks of the histories, as many of them in a script as take Redis a ms or two, and answers in their order. */
  private async ofEach<Found>(
    starts: readonly HistoryStart[],
    ask: (keys: readonly string[], froms: readonly string[]) => Promise<unknown[]>,
    read: (start: HistoryStart, reply: unknown) => Found,
  ): Promise<readonly Found[]> {
    const found = new Map<HistoryStart, Found>()
    await Promise.all(
      this.inOneSlot(starts, ({ system }) => system, STREAMS_AT_ONCE).map(async (some) => {
        const replies = await ask(
          some.map(({ system }) => keyOf(system, 'history')),
          some.map(({ from }) => from),
        )
        for (const [index, start] of some.entries()) found.set(start, read(start, replies[index]))
      }),
    )
    return starts.map((start) => found.get(start) as Found)
  }

  /** What is left in the outboxes of these, a fair share of each, and more where there is room. @param failures gets why some did not answer */
  private async leftOf(
    systems: string[],
    before: number,
    limit: number,
    failures: unknown[],
  ): Promise<OutboxEntry[]> {
    const read = async (some: string[], count: number) => {
      const looks = await lookAtEach(this.redis, some, (system) => [
        ['zrangebyscore', keyOf(system, 'outbox'), '-inf', before, 'LIMIT', 0, count],
      ])
      return answered(some, looks, failures).map(({ of: system, answers }) => ({
        system,
        entries: outboxEntriesOf(system, answers[0] as string[]),
      }))
    }
    const first = await read(systems, Math.min(limit, FAIR_SHARE))
    const all = first.flatMap(({ entries }) => entries)
    const more = first.filter(({ entries }) => entries.length === FAIR_SHARE)
    if (all.length >= limit || more.length === 0) return all.slice(0, limit)
    const share = FAIR_SHARE + Math.floor((limit - all.length) / more.length)
    const fuller = await read(
      more.map(({ system }) => system),
      share,
    )
    const rest = first.filter(({ entries }) => entries.length !== FAIR_SHARE)
    return [...rest, ...fuller].flatMap(({ entries }) => entries).slice(0, limit)
  }

  private attempt<T>(what: string, id: RoundId | undefined, run: () => Promise<T>): Promise<T> {
    return attempt(id === undefined ? what : () => `${what} ${roundKey(id)}`, run)
  }
}

function newlyElected(
  { address, identity, name }: Candidate,
  { deadlineMs }: Terms,
  fence: number,
  nowMs: number,
): ElectionRuling {
  const named = name === undefined ? {} : { leaderName: name }
  const record = { leader: address, ...named, identity, fence, electedAtMs: nowMs, deadlineMs }
  return { verdict: 'elected', nowMs, record }
}

/** What the step `start` answers. */
export function startRulingOf(reply: unknown[]): StartRuling {
  const [verdict, , fence, runTerms, nth, giveUpInMs] = reply
  if (verdict === 'another' || verdict === 'held') return { verdict }
  if (verdict === 'early') return { verdict, restMs: Number(fence) }
  if (verdict === 'late') return { verdict, fence: Number(fence) }
  if (verdict !== 'started') return rulingOf(reply)
  return {
    verdict,
    fence: Number(fence),
    runTerms: runTermsOf(String(runTerms)),
    nth: Number(nth),
    ...(giveUpInMs !== '' && { giveUpInMs: Number(giveUpInMs) }),
  }
}

/** What the step `finish` answers. */
export function finishRulingOf(reply: unknown[]): FinishRuling {
  const verdict = reply[0] as FinishRuling['verdict']
  return verdict === 'refused' ? rulingOf(reply) : { verdict }
}

function rulingOf<Verdict>(reply: unknown[]): Ruling<Verdict> {
  const fields = fieldsOf(reply[2])
  return {
    verdict: reply[0] as Verdict,
    nowMs: Number(reply[1]),
    record: recordOf(fields),
    ...(fields.q !== undefined && { submission: submissionOf(fields) }),
    ...(fields.z !== undefined && { history: endsOf(fields.z) }),
    ...(fields.E !== undefined && { events: eventsOf(fields.E) }),
  }
}

/** A round as a step answers it: a word, now, and its fields. */
export function sightingOf(reply: unknown[]): Sighting {
  const fields = fieldsOf(reply[2])
  return {
    nowMs: Number(reply[1]),
    ...(fields.l !== undefined && { record: recordOf(fields) }),
    ...(fields.q !== undefined && { submission: submissionOf(fields) }),
    ...(fields.z !== undefined && { history: endsOf(fields.z) }),
    ...(fields.E !== undefined && { events: eventsOf(fields.E) }),
  }
}

function submissionOf(fields: Fields): SubmissionRecord {
  return {
    queue: fields.q ?? '',
    submittedAtMs: Number(fields.s),
    digest: fields.h ?? '',
    ...(fields.M !== undefined && { repeats: Number(fields.M) }),
    ...(fields.y !== undefined && { notBeforeMs: Number(fields.y) }),
    runTerms: runTermsOf(fields.o ?? ''),
    ...(fields.l === undefined && fields.d !== undefined && { untakenMs: Number(fields.d) }),
    ...(fields.p !== undefined && {
      pending: JSON.parse(fields.p) as Pick<Submission, 'data' | 'queueTerms'>,
    }),
  }
}

function runTermsOf(json: string): RunTerms {
  return json === '' ? {} : (JSON.parse(json) as RunTerms)
}

function fieldsOf(flat: unknown): Fields {
  const fields: Record<string, string> = {}
  const list = flat as string[]
  for (let index = 0; index < list.length; index += 2) {
    fields[list[index] as string] = list[index + 1] as string
  }
  return fields
}

/** The field letters are explained in record.lua. */
function recordOf(fields: Fields): RoundRecord {
  const electedAtMs = Number(fields.e)
  return {
    leader: fields.l ?? '',
    ...(fields.L !== undefined && { leaderName: fields.L }),
    identity: fields.i ?? '',
    fence: Number(fields.f),
    electedAtMs,
    deadlineMs: Number(fields.d),
    ...(fields.t !== undefined && {
      lease: { ms: Number(fields.t), expiresAtMs: electedAtMs + Number(fields.x) },
    }),
    ...(fields.g !== undefined && { gate: fields.g }),
    ...(fields.n !== undefined && { starts: Number(fields.n) }),
    ...(fields.c !== undefined && { completion: completionOf(fields, electedAtMs) }),
    ...(fields.u !== undefined && {
      reopened: { fence: Number(fields.u), former: formerOf(fields) },
    }),
  }
}

function formerOf({ j: last, J: earlier }: Fields): readonly string[] {
  return [...(last === undefined ? [] : [last]), ...(earlier === undefined ? [] : earlier.split(' '))]
}

/** The letters are explained in retry.lua. */
function endsOf(json: string): readonly RoundEnd[] {
  return (JSON.parse(json) as Readonly<Record<string, string>>[]).map((end) => ({
    outcome: end.o === 'f' ? 'failed' : 'overdue',
    ...(end.l && { leader: end.l }),
    ...(end.f !== undefined && { fence: Number(end.f) }),
    ...(end.o === 'f' && { by: completerOf(end) }),
    atMs: Number(end.a),
    ...(end.r && { reason: end.r }),
    retriedAtMs: Number(end.t),
    retriedBy: end.w ?? '',
    ...(end.y !== undefined && { retriedFor: end.y }),
  }))
}

const KINDS: Readonly<Record<string, RoundEvent['kind']>> = {
  q: 'submitted',
  l: 'led',
  s: 'started',
  x: 'failed',
  b: 'givenBack',
  r: 'refused',
}

/** The letters are explained in record.lua. One of a kind that a later build has made is left out. */
function eventsOf(json: string): readonly RoundEvent[] {
  return (JSON.parse(json) as Readonly<Record<string, string>>[]).flatMap(({ k = '', t, w, f, r }) => {
    const kind = KINDS[k]
    if (kind === undefined) return []
    return {
      kind,
      atMs: Number(t),
      ...(w !== undefined && { by: w }),
      ...(f !== undefined && { fence: Number(f) }),
      ...(r !== undefined && kind !== 'refused' && { reason: r }),
      ...(kind === 'refused' && { outcome: r === 'c' ? 'completed' : 'failed' }),
    }
  })
}

function completionOf(fields: Fields, electedAtMs: number): Completion {
  return {
    outcome: fields.c === 'c' ? 'completed' : 'failed',
    by: completerOf(fields),
    atMs: electedAtMs + Number(fields.a),
    detail: fields.r ?? '',
    ...(fields.w !== undefined && { identity: fields.w }),
  }
}

function completerOf({ b: by, l: leader = '' }: Fields): string {
  if (by === undefined) return leader
  return by.startsWith(':') ? leader.replace(/:\d+$/, by) : by
}

/** The fence of the entry that counts: a round that was led anew has a later one; one led by its job has that of its submission. */
function listedFence(record: RoundRecord | undefined): number {
  return record && record.starts === undefined ? record.fence : 0
}
