import type { Fetch } from '../client/transport.ts'
import { type Rule, takeText } from '../core/expect.ts'
import { callIdentity, type Reporter, tokenIdentity } from '../core/rounds/candidate.ts'
import { submissionDigest } from '../core/rounds/job.ts'
import { isVacant, type Outcome, type RoundRecord, stateOf } from '../core/rounds/record.ts'
import { escapePart, formatRound, type RoundId, roundId } from '../core/rounds/round.ts'
import type { Records, RoundNews } from '../core/rounds/round-ports.ts'
import { DEADLINE, keptResult, LEASE, REASON, WAIT } from '../core/rounds/round-rules.ts'
import { ledRoundJson, linkOf, type ProblemJson, roundJson } from '../core/rounds/round-wire.ts'
import { checkStart, readSubmission } from '../core/rounds/submission.ts'
import { ERROR_CODES, type ErrorCode, GoneError } from '../errors.ts'
import { pause, unlessAborted } from '../waiting.ts'

interface MemoryServer {
  readonly records: Records & RoundNews
  readonly onSubmitted: (id: RoundId, queue: string) => void
  readonly nowMs: () => number
}

interface Asked {
  readonly id: RoundId
  readonly query: URLSearchParams
  readonly body: Readonly<Record<string, unknown>>
  readonly reporter: Reporter
  /** Aborted once nobody waits for the answer. */
  readonly signal: AbortSignal
}

interface Answer {
  readonly status: number
  readonly json?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

type Verb = (server: MemoryServer, asked: Asked) => Promise<Answer>

const DEADLINE_MS = 3_600_000
/** Of real time: how soon whoever stands by sees that the test has moved the clock. */
const LOOK_EVERY_MS = 10

/** Answers what the SDK asks of rounds as a server would, of these records. */
export function fetchOf(server: MemoryServer): Fetch {
  let calls = 0
  return async (url, { headers, body = '{}', signal }) => {
    const { pathname, searchParams: query } = new URL(url)
    const [, verb = '', system = '', round = ''] = /^\/api\/v1\/(\w+)\/([^/]+)\/([^/]+)$/.exec(pathname) ?? []
    try {
      const answer = VERBS[verb]
      if (answer === undefined)
        throw new GoneError(
          'NOT_FOUND',
          `gone/testing has only ${Object.keys(VERBS).join(', ')} of a round, and not ${pathname}`,
        )
      const { 'gone-candidate': token, 'gone-fence': fence, 'gone-name': name } = headers
      const reporter: Reporter = {
        address: '127.0.0.1:1',
        identity: token === undefined ? callIdentity(`call-${calls++}`) : tokenIdentity(token),
        ...(fence !== undefined && { fence: Number(fence) }),
        ...(name !== undefined && { name }),
      }
      const id = roundId(decodeURIComponent(system), decodeURIComponent(round))
      const asked = { id, query, body: JSON.parse(body), reporter, signal }
      return replyOf(await unlessAborted(signal, answer(server, asked)))
    } catch (error) {
      if (!(error instanceof GoneError)) throw error
      return replyOf(problemOf(error.code, error.message))
    }
  }
}

const VERBS: Readonly<Record<string, Verb>> = {
  async elect(server, asked) {
    const { verdict, ...ruling } = await stand(server, asked)
    if (!('record' in ruling)) return { status: 204 }
    const { id } = asked
    const { record, nowMs } = ruling
    const headers = headersOf(record, nowMs)
    if (verdict === 'lost') return { status: 204, headers }
    return { status: 202, json: ledRoundJson(id, record, nowMs), headers }
  },
  async renew({ records }, { id, query, reporter }) {
    const ruling = await records.renew(id, reporter, msOf(query, 'lease', LEASE))
    if (ruling.verdict === 'renewed') return led(id, ruling.record, ruling.nowMs)
    const code = ({ notLed: 'NOT_LED', finished: 'ROUND_FINISHED', superseded: 'SUPERSEDED' } as const)[
      ruling.verdict
    ]
    return problemOf(code, `${formatRound(id)}: ${ruling.verdict}`)
  },
  complete: (server, asked) => report(server, asked, 'completed', keptResult(asked.body.result)),
  fail: (server, asked) => report(server, asked, 'failed', reasonOf(asked.body)),
  async elected({ records }, { id }) {
    const { record, nowMs } = await records.read(id)
    return record === undefined || isVacant(record) ? { status: 204 } : led(id, record, nowMs)
  },
  async completed({ records }, { id }) {
    const { record, nowMs } = await records.read(id)
    return record?.completion?.outcome === 'completed' ? led(id, record, nowMs) : { status: 204 }
  },
  async rounds({ records }, { id, query, signal }) {
    const waitMs = msOf(query, 'wait', WAIT)
    if (waitMs) await untilFinished(records, id, waitMs, signal)
    const seen = await records.read(id)
    const json = roundJson(id, seen, seen.nowMs)
    return json
      ? { status: 200, json }
      : problemOf('NOT_LED', `${formatRound(id)}: nobody has led or submitted it`)
  },
  async submit({ records, onSubmitted, nowMs }, { id, body }) {
    const submission = readSubmission(body, escapePart(id.system))
    checkStart(submission, nowMs())
    const { verdict, ...seen } = await records.submit(id, submission)
    if (verdict === 'submitted') onSubmitted(id, submission.queue)
    const json = { ...roundJson(id, seen, seen.nowMs), link: linkOf(id) }
    const isConflict =
      seen.submission !== undefined && seen.submission.digest !== submissionDigest(submission)
    const headers = isConflict ? { 'gone-conflict': 'data' } : {}
    return { status: verdict === 'submitted' ? 202 : 200, json, headers }
  },
}

/** Decides, and again as long as the candidate loses, the round goes on and there is real time left. */
async function stand({ records }: MemoryServer, { id, query, reporter, signal }: Asked) {
  const [leaseMs, waitMs = 0] = [msOf(query, 'lease', LEASE), msOf(query, 'wait', WAIT)]
  const terms = {
    deadlineMs: msOf(query, 'deadline', DEADLINE) ?? DEADLINE_MS,
    ...(leaseMs !== undefined && { leaseMs }),
  }
  const giveUpMs = performance.now() + waitMs
  for (;;) {
    // Nobody who has gone is to be elected.
    signal.throwIfAborted()
    const ruling = await records.decide(id, reporter, terms)
    const isSettled = ruling.verdict !== 'lost' || !('record' in ruling) || ruling.record.completion
    if (isSettled || performance.now() >= giveUpMs) return ruling
    await pause(LOOK_EVERY_MS, signal)
  }
}

function reasonOf({ reason }: Asked['body']): string {
  return reason === undefined ? '' : takeText('reason', REASON, String(reason), invalidParameter)
}

async function report(
  { records }: MemoryServer,
  { id, reporter }: Asked,
  outcome: Outcome,
  detail: string,
): Promise<Answer> {
  const ruling = await records.complete(id, reporter, { outcome, detail }, { deadlineMs: DEADLINE_MS })
  if (ruling.verdict !== 'refused') return led(id, ruling.record, ruling.nowMs)
  return problemOf('COMPLETION_REFUSED', `${formatRound(id)}: another leads it, or has reported`)
}

/** Or until so much of real time has passed. */
async function untilFinished(
  records: Records & RoundNews,
  id: RoundId,
  waitMs: number,
  signal: AbortSignal,
): Promise<void> {
  const finished = new AbortController()
  const stop = await records.listen(id, () => finished.abort())
  const { record } = await records.read(id)
  if (!record?.completion) await pause(waitMs, AbortSignal.any([finished.signal, signal]))
  stop()
}

function led(id: RoundId, record: RoundRecord, nowMs: number): Answer {
  return { status: 200, json: ledRoundJson(id, record, nowMs), headers: headersOf(record, nowMs) }
}

function headersOf(record: RoundRecord, nowMs: number): Readonly<Record<string, string>> {
  const { leader, fence } = record
  return { 'gone-leader': leader, 'gone-fence': String(fence), 'gone-state': stateOf(record, nowMs) }
}

function problemOf(code: ErrorCode, detail: string): Answer {
  const { status, retryable, title } = ERROR_CODES[code]
  const problem: ProblemJson = { title, status, detail, code, retryable }
  return { status, json: problem }
}

function msOf(query: URLSearchParams, name: string, rule: Rule<number>): number | undefined {
  const text = query.get(name)
  return text === null ? undefined : takeText(name, rule, text, invalidParameter)
}

function invalidParameter(message: string): GoneError {
  return new GoneError('INVALID_PARAMETER', message)
}

function replyOf({ status, json, headers = {} }: Answer): Awaited<ReturnType<Fetch>> {
  return {
    status,
    headers: { get: (name) => headers[name] ?? null },
    text: async () => (json === undefined ? '' : JSON.stringify(json)),
  }
}
