import type { Candidate, Reporter } from '../core/candidate.ts'
import type { CompletionVerdict } from '../core/completion.ts'
import type { ElectionVerdict } from '../core/election.ts'
import { type RunTerms, type Submission, type SubmissionRecord, submissionDigest } from '../core/job.ts'
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
  type Ruling,
  type Sighting,
  type StartRuling,
  type SubmissionRuling,
} from '../core/ports.ts'
import { type Completion, MAX_DEADLINE_MS, type RoundRecord, type Terms } from '../core/record.ts'
import { escapePart, type RoundId, roundKey, unescapePart } from '../core/round.ts'
import { attempt } from '../redis/attempt.ts'
import type { RedisClient } from '../redis/connections.ts'
import { roundChannel } from '../redis/redis-news.ts'
import { type Argument, defineSteps, type Steps } from '../redis/steps.ts'

const STEPS = ['decide', 'renew', 'complete', 'fail', 'finish', 'read', 'expire', 'submit', 'start'] as const
type StepName = (typeof STEPS)[number]

type Fields = Readonly<Record<string, string>>

const SYSTEMS_KEY = 'gone:systems'
/** How often a process says again that a system is in use. Far below any retention. */
const SYSTEM_REFRESH_MS = 600_000
const ACKNOWLEDGE_EVERY_MS = 50
const MAX_PIPELINE = 500

/** Records in Redis: one Lua script a step, all keys of a system in one Cluster slot. */
export class RedisRecords implements Records {
  private readonly steps: Steps<StepName>
  private readonly systemsSeen = new Map<string, number>()
  private acknowledged = new Map<string, string[]>()
  private queued: string[] = []
  private acknowledging: NodeJS.Timeout | undefined

  constructor(
    private readonly redis: RedisClient,
    private readonly retentionMs: number,
  ) {
    this.steps = defineSteps(redis, {
      beside: import.meta.url,
      prelude: 'record',
      names: STEPS,
      prefix: 'gone',
      keyCount: 1,
    })
  }

  async decide(id: RoundId, candidate: Candidate, terms: Terms, gate = ''): Promise<ElectionRuling> {
    return this.attempt('decide who leads', id, async () => {
      // Sent together and answered together: one round trip.
      const known = this.rememberSystem(id.system)
      const decided = this.step('decide', id, [
        candidate.address,
        candidate.identity,
        terms.leaseMs ?? 0,
        terms.deadlineMs,
        gate,
      ])
      const [reply] = await Promise.all([decided, known])
      if (typeof reply[2] === 'number') return newlyElected(candidate, terms, reply[2], Number(reply[1]))
      const ruling = rulingOf<ElectionVerdict>(reply)
      if (ruling.verdict !== 'takenOver') return ruling
      return { ...ruling, previous: { leader: String(reply[3]), fence: Number(reply[4]) } }
    })
  }

  async submit(id: RoundId, submission: Submission): Promise<SubmissionRuling> {
    return this.attempt('submit', id, async () => {
      const { queue, data, queueTerms, runTerms } = submission
      const known = this.rememberSystem(id.system)
      const submitted = this.step('submit', id, [
        queue,
        submissionDigest(submission),
        JSON.stringify({ data, queueTerms }),
        Object.keys(runTerms).length > 0 ? JSON.stringify(runTerms) : '',
      ])
      const [reply] = await Promise.all([submitted, known])
      return { verdict: reply[0] as SubmissionRuling['verdict'], ...sightingOf(reply) }
    })
  }

  async start(id: RoundId, candidate: Candidate, terms: Terms, maxStarts: number): Promise<StartRuling> {
    const { address, identity } = candidate
    return this.attempt('start', id, async () => {
      const reply = await this.step('start', id, [address, identity, terms.deadlineMs, maxStarts])
      const [verdict, , fence, runTerms] = reply
      return verdict === 'started'
        ? { verdict, fence: Number(fence), runTerms: runTermsOf(String(runTerms)) }
        : rulingOf(reply)
    })
  }

  async renew(id: RoundId, reporter: Reporter, leaseMs = 0): Promise<RenewalRuling> {
    return this.attempt('renew the lease of', id, async () => {
      const reply = await this.step('renew', id, [reporter.identity, reporter.fence ?? '', leaseMs])
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
      const known = this.rememberSystem(id.system)
      const settled = this.step(step, id, [
        reporter.address,
        reporter.identity,
        reporter.fence ?? '',
        report.detail,
        terms.deadlineMs,
        roundChannel(id),
      ])
      const [reply] = await Promise.all([settled, known])
      return rulingOf(reply)
    })
  }

  async finish(id: RoundId, job: Required<Reporter>, { outcome, detail }: Report): Promise<FinishRuling> {
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
      const reply = await this.step('finish', id, own)
      const verdict = reply[0] as FinishRuling['verdict']
      return verdict === 'refused' ? rulingOf(reply) : { verdict }
    })
  }

  async read(id: RoundId): Promise<Sighting> {
    return this.attempt('read', id, async () => {
      return sightingOf(await this.step('read', id, []))
    })
  }

  async expire(id: RoundId): Promise<DeadlineRuling> {
    return this.attempt('judge the deadline of', id, async () => {
      const reply = await this.step('expire', id, [])
      const [verdict, restMs] = reply
      if (verdict === 'pending') return { verdict, restMs: Number(restMs) }
      return verdict === 'notLed' || verdict === 'notStarted' ? { verdict } : rulingOf(reply)
    })
  }

  async history(query: { system?: string; after?: HistoryMark; limit: number }) {
    return this.attempt('read the history', undefined, async () => {
      const systems = query.system === undefined ? await this.systems() : [query.system]
      const pages = await this.each(systems, (system) => [historyCommand(system, query)])
      const entries = systems
        .flatMap((system, index) => entriesOf(system, pages[index]?.[0]))
        .sort((a, b) => (isAfter(b.mark, a.mark) ? -1 : 1))
      const page = entries.slice(0, query.limit)
      const seen = await Promise.all(page.map(({ id }) => this.read(id)))
      const rounds: ListedRound[] = page.flatMap(({ id, mark, fence }, index) => {
        const { record, submission } = seen[index] ?? {}
        if (!(record || submission) || fence !== listedFence(record)) return []
        return [{ id, mark, ...(record && { record }), ...(submission && { submission }) }]
      })
      const last = entries.length > page.length ? page.at(-1) : undefined
      return { rounds, nowMs: seen[0]?.nowMs ?? 0, ...(last && { next: last.mark }) }
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
      return Promise.all(
        [...firsts.values()].map(async (first) => ({ ...first, ...(await this.read(first.id)) })),
      )
    })
  }

  async overdueCount(): Promise<number> {
    return this.attempt('count overdue rounds', undefined, async () => {
      const systems = await this.systems()
      const counts = await this.each(systems, (system) => [['zcard', keyOf(system, 'overdue')]])
      return counts.reduce((sum, [count]) => sum + Number(count), 0)
    })
  }

  async outbox(ageMs: number, limit: number): Promise<readonly OutboxEntry[]> {
    return this.attempt('read the outbox', undefined, async () => {
      const [seconds, micros] = await this.redis.time()
      const before = Number(seconds) * 1000 + Math.floor(Number(micros) / 1000) - ageMs
      const systems = await this.systems()
      const entries = await this.each(systems, (system) => [
        ['zrangebyscore', keyOf(system, 'outbox'), '-inf', before, 'LIMIT', 0, limit],
      ])
      return systems
        .flatMap((system, index) =>
          ((entries[index]?.[0] ?? []) as string[]).map((entry) => ({
            id: { system, round: unescapePart(entry.replace(/~.*$/, '')) },
            step: STEP_OF_MARK[entry.replace(/^[^~]*/, '')] ?? 'led',
            entry,
          })),
        )
        .slice(0, limit)
    })
  }

  acknowledge(id: RoundId, step: OutboxStep): void {
    const key = keyOf(id.system, 'outbox')
    const entry = escapePart(id.round) + MARKS[step]
    // The queue has the data now; the record need not keep it.
    if (step === 'submitted') this.queued.push(recordKeyOf(id))
    const entries = this.acknowledged.get(key)
    if (entries) entries.push(entry)
    else this.acknowledged.set(key, [entry])
    this.acknowledging ??= setTimeout(() => void this.flush(), ACKNOWLEDGE_EVERY_MS)
  }

  async acknowledgeEntry({ id, step, entry }: OutboxEntry): Promise<void> {
    await this.attempt('acknowledge an outbox entry', undefined, async () => {
      if (step === 'submitted') await this.redis.hdel(recordKeyOf(id), 'p')
      await this.redis.zrem(keyOf(id.system, 'outbox'), entry)
    })
  }

  /** Lists systems anew as they are used: the store may have lost that they are listed. */
  relist(): void {
    this.systemsSeen.clear()
  }

  /** Sends what was acknowledged. What is lost here stays in the outbox, and is done again without harm. */
  async flush(): Promise<void> {
    clearTimeout(this.acknowledging)
    this.acknowledging = undefined
    const batch = this.acknowledged
    this.acknowledged = new Map()
    const queued = this.queued.splice(0)
    await Promise.allSettled([
      ...queued.map((key) => this.redis.hdel(key, 'p')),
      ...[...batch].map(([key, entries]) => this.redis.zrem(key, ...entries)),
    ])
  }

  private step(name: StepName, id: RoundId, own: Argument[]): Promise<unknown[]> {
    return this.steps[name](recordKeyOf(id), escapePart(id.round), this.retentionMs, ...own)
  }

  /** Lists the system, before any round of it can be led, for those who look for rounds: history and sweeper. */
  private async rememberSystem(system: string): Promise<void> {
    const nowMs = Date.now()
    const seenMs = this.systemsSeen.get(system)
    if (seenMs !== undefined && nowMs - seenMs < SYSTEM_REFRESH_MS) return
    await this.redis.zadd(SYSTEMS_KEY, nowMs, escapePart(system))
    if (this.systemsSeen.size >= 10_000) this.systemsSeen.clear()
    this.systemsSeen.set(system, nowMs)
    if (this.retentionMs > 0) {
      await this.redis.zremrangebyscore(SYSTEMS_KEY, '-inf', nowMs - this.retentionMs - 2 * SYSTEM_REFRESH_MS)
    }
  }

  private async systems(): Promise<string[]> {
    return (await this.redis.zrange(SYSTEMS_KEY, '0', '-1')).map((system) => unescapePart(String(system)))
  }

  /** Runs the commands of each system, in pipelines of bounded size; the answers are in the systems' order. */
  private async each(systems: string[], commandsOf: (system: string) => Argument[][]): Promise<unknown[][]> {
    const answers: unknown[][] = []
    for (let from = 0; from < systems.length; from += MAX_PIPELINE) {
      const chunk = systems.slice(from, from + MAX_PIPELINE)
      const replies = chunk.map((system) =>
        Promise.all(
          commandsOf(system).map(([name, ...rest]) => this.redis.call(String(name), ...rest.map(String))),
        ),
      )
      answers.push(...(await Promise.all(replies)))
    }
    return answers
  }

  private attempt<T>(what: string, id: RoundId | undefined, run: () => Promise<T>): Promise<T> {
    return attempt(id === undefined ? what : () => `${what} ${roundKey(id)}`, run)
  }
}

/** How an outbox entry says which step left it; no escaped round has a "~". */
const MARKS: Readonly<Record<OutboxStep, string>> = { submitted: '~s', led: '', finished: '~' }
const STEP_OF_MARK: Readonly<Record<string, OutboxStep>> = { '~s': 'submitted', '': 'led', '~': 'finished' }

function recordKeyOf({ system, round }: RoundId): string {
  return `gone:{${escapePart(system)}}:round:${escapePart(round)}`
}

function keyOf(system: string, name: string): string {
  return `gone:{${escapePart(system)}}:${name}`
}

function newlyElected(
  { address, identity }: Candidate,
  { deadlineMs }: Terms,
  fence: number,
  nowMs: number,
): ElectionRuling {
  const record = { leader: address, identity, fence, electedAtMs: nowMs, deadlineMs }
  return { verdict: 'elected', nowMs, record }
}

function rulingOf<Verdict>(reply: unknown[]): Ruling<Verdict> {
  const fields = fieldsOf(reply[2])
  return {
    verdict: reply[0] as Verdict,
    nowMs: Number(reply[1]),
    record: recordOf(fields),
    ...(fields.q !== undefined && { submission: submissionOf(fields) }),
  }
}

function sightingOf(reply: unknown[]): Sighting {
  const fields = fieldsOf(reply[2])
  return {
    nowMs: Number(reply[1]),
    ...(fields.l !== undefined && { record: recordOf(fields) }),
    ...(fields.q !== undefined && { submission: submissionOf(fields) }),
  }
}

function submissionOf(fields: Fields): SubmissionRecord {
  return {
    queue: fields.q ?? '',
    submittedAtMs: Number(fields.s),
    digest: fields.h ?? '',
    runTerms: runTermsOf(fields.o ?? ''),
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
  }
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

interface HistoryEntry {
  readonly id: RoundId
  readonly mark: HistoryMark
  readonly fence: number
}

function historyCommand(
  system: string,
  { after, limit }: { after?: HistoryMark; limit: number },
): Argument[] {
  const newest = after === undefined ? '+' : newestAfter(system, after)
  return ['xrevrange', keyOf(system, 'history'), newest, '-', 'COUNT', limit + 1]
}

/** The range of a stream that begins behind the mark, which may be an entry of another system. */
function newestAfter(system: string, { atMs, number, system: marked }: HistoryMark): string {
  return system < marked ? `${atMs}-${number}` : `(${atMs}-${number}`
}

/** The fence of the entry that counts: a round that was led anew has a later one; one led by its job has that of its submission. */
function listedFence(record: RoundRecord | undefined): number {
  return record && record.starts === undefined ? record.fence : 0
}

function entriesOf(system: string, reply: unknown): HistoryEntry[] {
  return (reply as [string, string[]][]).map(([streamId, [, round = '', , fence = '']]) => {
    const [atMs, number] = streamId.split('-').map(Number)
    const mark = { atMs: atMs ?? 0, number: number ?? 0, system }
    return { id: { system, round: unescapePart(round) }, mark, fence: Number(fence) }
  })
}
