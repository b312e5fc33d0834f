import type { RoundJson } from '../src/core/rounds/round-wire.ts'
import type { Effect, Event, Invocation, Operation, Return, Shown } from './history.ts'

/** What every history must keep to. The rule's name, and what it says. */
export const RULES = {
  'one-leader':
    'at most one candidate is told that it leads, per round and fence; per round where there is no lease',
  'lease-respected': 'nobody takes over before the lease that was acknowledged has run out',
  'fences-grow': 'a fence belongs to one leadership, and a later leadership of the system has a higher one',
  'answers-agree': 'whoever is told of a leadership is told of the same leader',
  'no-false-loss': 'nobody is told that it lost before another can have led',
  'never-forgotten': 'what was answered of leader and completion never changes back or vanishes',
  'one-completion': 'one report of a round is accepted, and nobody is told that it leads after it',
  'late-refused': 'a leader that was replaced can neither renew nor report',
  'acknowledged-kept': 'whatever was acknowledged is found when all faults are over',
  'decided-in-time': 'every round is decided within 5 s of the end of all faults',
  'jobs-end': 'a submitted job ends completed, failed with a reason, or overdue',
  'one-job': 'one submission of a round makes its job',
  'effects-match': 'each start of a job has a higher fence, and the completion is that of a run that ended',
  'board-agrees': 'the board shows each round as its record is',
  claim: 'what the scenario itself claims',
} as const

export type Rule = keyof typeof RULES

export interface Violation {
  readonly rule: Rule
  readonly what: string
}

export interface CheckOptions {
  /** The clock of Redis jumps: a lease may be cut short, and a facade may name the leader of a lease that it knew for longer. */
  readonly redisClockJumps?: boolean
  /** Records are lost on purpose: what was answered may be forgotten, and fences are given again. Two leaders may not be. */
  readonly recordsAreLost?: boolean
  /** A build beside this one tells from memory which state a round is in, and its leader that it leads when it is finished. */
  readonly olderBuild?: boolean
}

const LOST_WITH_RECORDS: readonly Rule[] = [
  'never-forgotten',
  'acknowledged-kept',
  'fences-grow',
  'answers-agree',
]
const DECIDED_WITHIN_MS = 5_000

interface Call extends Invocation {
  readonly answer?: Return
  /** Who calls: its token, or this one call. */
  readonly who: string
}

/** One leadership, as its holder was told of it. */
interface Lead {
  readonly who: string
  readonly fence: number
  /** When the earliest call of its holder was sent, and the first answer came. */
  readonly sentMs: number
  readonly toldMs: number
  readonly hasToken: boolean
}

interface RoundHistory {
  readonly name: string
  readonly calls: Call[]
  readonly effects: Effect[]
  shown?: Shown
}

/** What is wrong with a history; nothing if all is well. */
export function check(events: readonly Event[], options: CheckOptions = {}): Violation[] {
  const rounds = roundsOf(events)
  const healedMs = events.findLast((event) => event.kind === 'healed')?.atMs
  const violations: Violation[] = []
  for (const round of rounds.values()) {
    const say = (rule: Rule, what: string) => violations.push({ rule, what: `${round.name}: ${what}` })
    const leads = leadsOf(round)
    checkOneLeader(round, leads, say)
    if (!options.redisClockJumps) checkLeases(round, leads, say)
    checkAgreement(round, say)
    checkLosses(round, say)
    checkMemory(round, options, say)
    checkCompletion(round, leads, say)
    if (!options.olderBuild) checkFinished(round, say)
    checkLateCalls(round, leads, say)
    checkJob(round, say)
    if (healedMs !== undefined) checkEnd(round, leads, healedMs, options, say)
  }
  checkFences(rounds, (rule, what) => violations.push({ rule, what }))
  return options.recordsAreLost
    ? violations.filter(({ rule }) => !LOST_WITH_RECORDS.includes(rule))
    : violations
}

type Say = (rule: Rule, what: string) => void

function checkOneLeader({ calls }: RoundHistory, leads: readonly Lead[], say: Say): void {
  const askedForLease = new Set(calls.filter(({ leaseMs }) => leaseMs !== undefined).map(({ who }) => who))
  leads.slice(1).forEach((lead, index) => {
    const before = leads[index] as Lead
    if (lead.fence === before.fence) say('one-leader', `led twice: ${names([before, lead])}`)
    else if (!askedForLease.has(before.who))
      say('one-leader', `led twice, without a lease: ${names([before, lead])}`)
  })
}

function checkLeases({ calls }: RoundHistory, leads: readonly Lead[], say: Say): void {
  for (const lead of leads) {
    const next = leads.find(({ fence }) => fence > lead.fence)
    if (!next) continue
    const signs = calls.filter(
      (call) =>
        (call.op === 'elect' || call.op === 'renew') &&
        isOk(call, call.op === 'elect' ? 202 : 200) &&
        call.answer?.fence === lead.fence &&
        call.leaseMs !== undefined,
    )
    for (const sign of signs) {
      const endMs = sign.atMs + (sign.leaseMs ?? 0)
      if (next.toldMs >= endMs) continue
      const early = Math.round(endMs - next.toldMs)
      say('lease-respected', `${next.who} took over ${early} ms before the lease of ${lead.who} had run out`)
    }
  }
}

function checkFences(rounds: ReadonlyMap<string, RoundHistory>, say: Say): void {
  const bySystem = new Map<string, { round: string; lead: Lead }[]>()
  for (const round of rounds.values()) {
    const system = round.calls[0]?.system ?? ''
    const list = bySystem.get(system) ?? []
    list.push(...leadsOf(round).map((lead) => ({ round: round.name, lead })))
    bySystem.set(system, list)
  }
  for (const list of bySystem.values()) {
    const owners = new Map<number, string>()
    for (const { round, lead } of list) {
      const owner = owners.get(lead.fence)
      if (owner !== undefined && owner !== round) {
        say('fences-grow', `fence ${lead.fence} belongs to ${owner} and to ${round}`)
      }
      owners.set(lead.fence, round)
    }
    // Of all leaderships that were told before this one was asked for, the highest fence.
    const told = [...list].sort((a, b) => a.lead.toldMs - b.lead.toldMs)
    const sent = [...list].sort((a, b) => a.lead.sentMs - b.lead.sentMs)
    let next = 0
    let highest: { round: string; lead: Lead } | undefined
    for (const later of sent) {
      for (let one = told[next]; one && one.lead.toldMs < later.lead.sentMs; one = told[next]) {
        if (one.lead.fence > (highest?.lead.fence ?? 0)) highest = one
        next += 1
      }
      if (highest && later.lead.fence <= highest.lead.fence && later !== highest) {
        say(
          'fences-grow',
          `${later.round} got fence ${later.lead.fence} after ${highest.round} had got ${highest.lead.fence}`,
        )
      }
    }
  }
}

function checkAgreement({ calls }: RoundHistory, say: Say): void {
  const leaders = new Map<number, string>()
  for (const { op, answer } of calls) {
    const fence = answer?.fence ?? fenceOf(answer?.record)
    const leader = answer?.leader ?? leaderOf(answer?.record)
    if (fence === undefined || leader === undefined) continue
    const known = leaders.get(fence)
    if (known !== undefined && known !== leader) {
      say('answers-agree', `under fence ${fence} ${op} names ${leader}, another answer ${known}`)
    }
    leaders.set(fence, leader)
    if (op === 'elected' && answer?.text !== undefined && answer.text !== leader) {
      say('answers-agree', `elected answers ${answer.text} and names ${leader}`)
    }
  }
}

function checkLosses({ calls }: RoundHistory, say: Say): void {
  for (const loss of calls) {
    if (loss.op !== 'elect' || !isOk(loss, 204)) continue
    const returnedMs = loss.answer?.atMs ?? 0
    const isExplained = calls.some(
      (other) =>
        (other.who !== loss.who || isReport(other)) && other.atMs < returnedMs && mayHaveDecided(other),
    )
    if (!isExplained) say('no-false-loss', `${loss.who} was told that it lost, and nobody else can have led`)
  }
}

/** Who has reported has nothing left to lead. */
function isReport({ op }: Call): boolean {
  return op === 'complete' || op === 'fail'
}

const DECIDING: readonly Operation[] = ['elect', 'complete', 'fail', 'submit']

/** True if the call made a leader, or may have. */
function mayHaveDecided({ op, answer }: Call): boolean {
  if (answer === undefined || answer.result === 'unknown') return DECIDING.includes(op)
  if (answer.result === 'fail') return false
  if (op === 'elect') return answer.status === 202
  return DECIDING.includes(op)
}

function checkMemory({ calls }: RoundHistory, { redisClockJumps }: CheckOptions, say: Say): void {
  const answered = calls.filter(({ answer }) => answer?.result === 'ok' || answer?.status === 404)
  const seen = [...answered].sort((a, b) => (a.answer?.atMs ?? 0) - (b.answer?.atMs ?? 0))
  let next = 0
  let highest = 0
  let completedBy: string | undefined
  let isCompleted = false
  for (const call of [...answered].sort((a, b) => a.atMs - b.atMs)) {
    for (let one = seen[next]; one && (one.answer?.atMs ?? 0) < call.atMs; one = seen[next]) {
      highest = Math.max(highest, one.answer?.fence ?? fenceOf(one.answer?.record) ?? 0)
      if (one.op === 'completed' && one.answer?.status === 200) completedBy ??= one.answer.text
      isCompleted ||= (one.op === 'completed' || one.op === 'complete') && one.answer?.status === 200
      next += 1
    }
    const { op, answer } = call
    const fence = answer?.fence ?? fenceOf(answer?.record)
    if (fence !== undefined && fence < highest && !redisClockJumps) {
      say('never-forgotten', `${op} answers fence ${fence} after fence ${highest} was answered`)
    }
    const isVanished = (op === 'elected' && answer?.status === 204) || answer?.status === 404
    if (isVanished && highest > 0)
      say('never-forgotten', `${op} knows no leader after fence ${highest} was answered`)
    if (op !== 'completed') continue
    if (isCompleted && answer?.status === 204) say('never-forgotten', 'it is not completed any more')
    if (completedBy !== undefined && answer?.status === 200 && answer.text !== completedBy) {
      say('never-forgotten', `it was completed by ${completedBy}, and now by ${answer.text}`)
    }
  }
}

function checkCompletion({ calls }: RoundHistory, leads: readonly Lead[], say: Say): void {
  const accepted = calls.filter((call) => isReport(call) && isOk(call, 200))
  const reporters = new Set(accepted.map((call) => `${reporterOf(call, leads)} (${call.op})`))
  if (reporters.size > 1) say('one-completion', `accepted from ${[...reporters].join(' and ')}`)
  const endedMs = Math.min(...accepted.map(({ answer }) => answer?.atMs ?? 0))
  for (const lead of leads) {
    if (lead.sentMs > endedMs) say('one-completion', `${lead.who} was elected after it had ended`)
  }
}

/** What is answered to calls that are sent when a report has been accepted. */
function checkFinished({ calls }: RoundHistory, say: Say): void {
  const reports = calls.filter((call) => isReport(call) && isOk(call, 200))
  const endedMs = Math.min(...reports.map(({ answer }) => answer?.atMs ?? 0))
  for (const call of calls) {
    if (call.atMs <= endedMs || call.answer?.result !== 'ok') continue
    if (call.op === 'elect' && call.answer.status === 202)
      say('one-completion', `${call.who} was told that it leads after it had ended`)
    const state = call.answer.state ?? call.answer.record?.state
    if (state !== undefined && state !== 'completed' && state !== 'failed')
      say('never-forgotten', `${call.op} says that it is ${state} after it had ended`)
  }
}

function checkLateCalls({ calls }: RoundHistory, leads: readonly Lead[], say: Say): void {
  for (const call of calls) {
    if (!(isReport(call) || call.op === 'renew') || !isOk(call, 200)) continue
    const current = leads.findLast(({ toldMs }) => toldMs < call.atMs)
    if (!current?.hasToken) continue
    const isLate = call.fence === undefined ? call.who !== current.who : call.fence < current.fence
    if (isLate) say('late-refused', `${call.op} of ${call.who} accepted after ${current.who} had taken over`)
  }
}

function checkJob({ calls, effects }: RoundHistory, say: Say): void {
  const first = calls.filter((call) => call.op === 'submit' && isOk(call, 202))
  if (first.length > 1) say('one-job', `${first.length} submissions were told that they made the job`)
  const starts = effects.filter(({ phase }) => phase === 'start')
  starts.forEach((start, index) => {
    const before = starts[index - 1]
    if (before && start.fence <= before.fence) {
      say('effects-match', `started under fence ${start.fence} after fence ${before.fence}`)
    }
  })
}

/** What must hold when all faults are over. */
function checkEnd(
  round: RoundHistory,
  leads: readonly Lead[],
  healedMs: number,
  options: CheckOptions,
  say: Say,
): void {
  const { calls } = round
  const isPromised = calls.some(
    (call) =>
      isOk(call, 202) || (isOk(call, 200) && ['complete', 'fail', 'submit', 'renew'].includes(call.op)),
  )
  const last = calls.findLast(({ isFinal, op }) => isFinal && op === 'round')
  if (last === undefined) {
    if (isPromised) say('acknowledged-kept', 'it was not read back')
    return
  }
  const record = last.answer?.record
  if (isPromised && record === undefined) {
    say('acknowledged-kept', `nothing is left of it (${last.answer?.status ?? 'no answer'})`)
    return
  }
  checkKept(calls, leads, record, say)
  checkDecided(calls, record, healedMs, say)
  checkJobEnd(round, record, say)
  checkShown(round, record, options, say)
}

function checkKept(
  calls: readonly Call[],
  leads: readonly Lead[],
  record: RoundJson | undefined,
  say: Say,
): void {
  const promised = Math.max(0, ...leads.map(({ fence }) => fence))
  const kept = fenceOf(record) ?? 0
  if (kept < promised) say('acknowledged-kept', `fence ${promised} was promised, the record has ${kept}`)
  for (const [op, state] of [
    ['complete', 'completed'],
    ['fail', 'failed'],
  ] as const) {
    const isAccepted = calls.some((call) => call.op === op && isOk(call, 200))
    if (isAccepted && record?.state !== state) {
      say('acknowledged-kept', `${op} was accepted, the record says ${record?.state}`)
    }
  }
}

function checkDecided(
  calls: readonly Call[],
  record: RoundJson | undefined,
  healedMs: number,
  say: Say,
): void {
  const asked = calls.filter(({ op, atMs }) => op === 'elect' && atMs >= healedMs)
  if (asked.length === 0) return
  if (record === undefined && asked.some((call) => isOk(call, 204))) {
    say('decided-in-time', 'who asked when all faults were over was told that it lost, and nobody leads')
    return
  }
  const decidedMs = Math.min(
    ...asked.map(({ answer }) => (answer?.result === 'ok' ? answer.atMs : Number.POSITIVE_INFINITY)),
  )
  // Many rounds are asked for in turn: each has its 5 s from when it was its turn.
  const sinceMs = Math.min(...asked.map(({ atMs }) => atMs))
  if (decidedMs <= sinceMs + DECIDED_WITHIN_MS) return
  say('decided-in-time', `not decided within ${DECIDED_WITHIN_MS / 1_000} s of the end of all faults`)
}

function checkJobEnd({ calls, effects }: RoundHistory, record: RoundJson | undefined, say: Say): void {
  const isSubmitted = calls.some((call) => call.op === 'submit' && (isOk(call, 202) || isOk(call, 200)))
  if (!isSubmitted || record === undefined) return
  if (record.state === 'submitted' || record.state === 'led') say('jobs-end', `it is still ${record.state}`)
  if (record.state === 'submitted') return
  const { completion, fence, job } = record
  if (record.state === 'failed' && !completion?.reason) say('jobs-end', 'it failed without a reason')
  if (record.state !== 'completed' || !((job?.starts ?? 0) > 0)) return
  const hasEnded = effects.some((effect) => effect.phase === 'end' && effect.fence === fence)
  if (!hasEnded) say('effects-match', `completed under fence ${fence}, under which no run ended`)
}

const AT_WORK = ['waiting', 'active', 'delayed', 'prioritized']
/** The states in which the job of a submitted round is shown rightly, in its worker's queue. */
const JOB_SHOWN_AS: Readonly<Record<RoundJson['state'], readonly string[]>> = {
  submitted: AT_WORK,
  open: [...AT_WORK, 'failed'],
  led: [...AT_WORK, 'failed'],
  overdue: ['failed'],
  completed: ['completed'],
  failed: ['failed'],
}
/** And those of any other round, which has a job once it has ended, in the queue of rounds. */
const ROUND_SHOWN_AS = { ...JOB_SHOWN_AS, open: ['unknown'], led: ['unknown'] }

function checkShown(
  { shown }: RoundHistory,
  record: RoundJson | undefined,
  options: CheckOptions,
  say: Say,
): void {
  if (shown === undefined || record === undefined) return
  if (isShownRightly(record, shown, options)) return
  const reason = shown.reason ? ` (${shown.reason})` : ''
  say('board-agrees', `the record says ${record.state}, the board ${shown.state}${reason}`)
}

/** True if this is how the round is to be shown whose record this is. */
export function isShownRightly(
  record: RoundJson,
  { state, reason }: Pick<Shown, 'state' | 'reason'>,
  { olderBuild }: CheckOptions = {},
): boolean {
  const shownAs = isRunByJob(record) ? JOB_SHOWN_AS : ROUND_SHOWN_AS
  // Of an older build a round has its job from the election on.
  const isOlder = olderBuild && record.state === 'led' && [...AT_WORK, 'failed'].includes(state)
  if (!isOlder && !shownAs[record.state].includes(state)) return false
  if (isRunByJob(record) || record.state !== 'failed' || reason === undefined) return true
  return reason === (record.completion?.reason ?? NO_REASON)
}

/** True if the round's job is in the queue of its worker. */
export function isRunByJob(record: RoundJson): boolean {
  return record.state === 'submitted' || (record.job?.starts ?? 0) > 0
}

const NO_REASON = 'the leader reported a failure without a reason'

function roundsOf(events: readonly Event[]): ReadonlyMap<string, RoundHistory> {
  const returns = new Map<number, Return>()
  for (const event of events) if (event.kind === 'return') returns.set(event.call, event)
  const rounds = new Map<string, RoundHistory>()
  const of = (system: string, round: string) => {
    const name = `${system}/${round}`
    const known = rounds.get(name)
    if (known) return known
    const fresh: RoundHistory = { name, calls: [], effects: [] }
    rounds.set(name, fresh)
    return fresh
  }
  for (const event of events) {
    if (event.kind === 'invoke') {
      const answer = returns.get(event.call)
      const who = event.token ?? `call ${event.call}`
      of(event.system, event.round).calls.push({ ...event, who, ...(answer && { answer }) })
    }
    if (event.kind === 'effect') of(event.system, event.round).effects.push(event)
    if (event.kind === 'shown') of(event.system, event.round).shown = event
  }
  return rounds
}

/** The leaderships that were told, lowest fence first. */
function leadsOf({ calls }: RoundHistory): readonly Lead[] {
  const leads = new Map<string, Lead>()
  const firstSentMs = new Map<string, number>()
  for (const { op, token, atMs } of calls) {
    // A call without a token may be given the leadership of an earlier one whose answer was lost.
    const sender = token ?? ''
    if (op === 'elect' && !firstSentMs.has(sender)) firstSentMs.set(sender, atMs)
  }
  for (const call of calls) {
    if (call.op !== 'elect' || !isOk(call, 202)) continue
    const { who, token } = call
    const fence = call.answer?.fence ?? 0
    const toldMs = call.answer?.atMs ?? 0
    const known = leads.get(`${who} ${fence}`)
    if (known && known.toldMs <= toldMs) continue
    leads.set(`${who} ${fence}`, {
      who,
      fence,
      sentMs: firstSentMs.get(token ?? '') ?? call.atMs,
      toldMs,
      hasToken: token !== undefined,
    })
  }
  return [...leads.values()].sort((a, b) => a.fence - b.fence)
}

/** Who reports: where a fence is shown, whoever leads under it. */
function reporterOf({ fence, who }: Call, leads: readonly Lead[]): string {
  if (fence === undefined) return who
  return leads.find((lead) => lead.fence === fence)?.who ?? `fence ${fence}`
}

function isOk({ answer }: Call, status: number): boolean {
  return answer?.result === 'ok' && answer.status === status
}

function fenceOf(record: RoundJson | undefined): number | undefined {
  return record && record.state !== 'submitted' ? record.fence : undefined
}

function leaderOf(record: RoundJson | undefined): string | undefined {
  return record && record.state !== 'submitted' ? record.leader : undefined
}

function names(leads: readonly Lead[]): string {
  return leads.map(({ who, fence }) => `${who} (fence ${fence})`).join(' and ')
}
