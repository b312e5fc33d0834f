import type { RoundState } from '../rounds/record.ts'
import { formatDuration } from '../time/duration.ts'
import type { Slot } from '../time/timetable.ts'
import type { AlertKind } from './alert.ts'

/** What a slot's round must keep to. */
export interface ExpectationTerms {
  /** How long after its slot a round may come before it is missed. */
  readonly graceMs: number
  /** After how long it is late; missing: after the grace. */
  readonly lateMs?: number
  /** How many distinct candidates must ask for it by the end of the grace; missing: not counted. */
  readonly replicas?: number
}

/** A slot whose round is still followed. */
export interface FollowedSlot extends Slot {
  /** Rounds that come from `beginMs` to before `endMs` belong to this slot, unless their name says otherwise. */
  readonly beginMs: number
  readonly endMs: number
  /** The round that came for it. */
  readonly round?: string
  /** When that was. A takeover moves the record's time of election, so the first one seen is kept. */
  readonly cameAtMs?: number
  /** What has been told of it. */
  readonly found: readonly AlertKind[]
}

/** A round as the judge sees it. */
export interface SeenRound {
  readonly round: string
  /** When it was submitted, else led. */
  readonly cameAtMs: number
  readonly state: RoundState
  readonly deadlineAtMs: number
  /** Why it failed. */
  readonly reason?: string
}

/** What is wrong with a slot, in words for people. */
export interface Finding {
  readonly kind: AlertKind
  readonly detail: string
}

/** What a slot comes to now. Good is what is over without a finding; what is not over is pending. */
export interface SlotJudgement {
  readonly findings: readonly Finding[]
  /** Nothing that happens later is looked at. */
  readonly isOver: boolean
}

/**
 * Judges one slot by the round that came for it, if one did.
 *
 * @param candidates how many distinct candidates are known to have asked for the round; missing: not known
 */
export function judgeSlot(
  slot: FollowedSlot,
  terms: ExpectationTerms,
  seen: { readonly round?: SeenRound; readonly candidates?: number },
  nowMs: number,
): SlotJudgement {
  const graceEndMs = slot.dueMs + terms.graceMs
  const { round } = seen
  if (round === undefined) {
    if (nowMs < graceEndMs) return { findings: [], isOver: false }
    const detail = `no round came within ${formatDuration(terms.graceMs)}`
    return { findings: [{ kind: 'missed', detail }], isOver: nowMs >= followUntilMs(slot, terms) }
  }
  const cameAtMs = slot.cameAtMs ?? round.cameAtMs
  // Candidates may come until the grace ends. After that they were late like the round, which is said once.
  const isCounted = terms.replicas !== undefined && cameAtMs < graceEndMs
  const findings = [
    ...lateness(slot, terms, cameAtMs),
    ...(isCounted && nowMs >= graceEndMs ? thinness(terms.replicas ?? 0, seen.candidates) : []),
    ...ending(round, nowMs),
  ]
  return { findings, isOver: isFinished(round, nowMs) && (!isCounted || nowMs >= graceEndMs) }
}

/** Until when a slot without a round waits for one: it is missed by then, and late if it still comes. */
export function followUntilMs(slot: FollowedSlot, terms: ExpectationTerms): number {
  return Math.max(slot.endMs, slot.dueMs + terms.graceMs)
}

/** When a slot should be looked at next: at what can change its judgement by time alone, and now and then for the rest. */
export function nextLookMs(
  slot: FollowedSlot,
  terms: ExpectationTerms,
  round: SeenRound | undefined,
  nowMs: number,
): number {
  const ageMs = Math.max(0, nowMs - slot.dueMs)
  const soonMs = nowMs + Math.min(MAX_LOOK_MS, Math.max(MIN_LOOK_MS, ageMs / 2))
  const turns = [slot.dueMs + terms.graceMs, followUntilMs(slot, terms), round?.deadlineAtMs ?? 0]
  return Math.min(soonMs, ...turns.filter((turn) => turn > nowMs))
}

const MIN_LOOK_MS = 1_000
const MAX_LOOK_MS = 30_000

/**
 * The slot's round among those that came about its time: the one whose name ends with the slot, else the first that came
 * between this slot and the next. One that was completed goes before all others.
 */
export function roundOfSlot(slot: FollowedSlot, rounds: readonly SeenRound[]): SeenRound | undefined {
  const own = rounds.filter((seen) => belongs(seen, slot))
  const named = own.filter((seen) => slotNamedIn(seen.round) !== undefined)
  const among = (named.length > 0 ? named : own).toSorted((a, b) => a.cameAtMs - b.cameAtMs)
  const first = among.find((seen) => seen.round === slot.round) ?? among[0]
  const isBad = first?.state === 'failed' || first?.state === 'overdue'
  return (isBad ? among.find((seen) => seen.state === 'completed') : undefined) ?? first
}

function belongs({ round, cameAtMs }: SeenRound, slot: FollowedSlot): boolean {
  if (round === slot.round) return true
  const named = slotNamedIn(round)
  // By instant too: a system that computes the same slot in another zone means the same.
  if (named !== undefined) return named === slot.key || Date.parse(named) === slot.dueMs
  return cameAtMs >= slot.beginMs && cameAtMs < slot.endMs
}

/** The slot that a round's name ends with, such as `report@2026-11-22T08:00:00+01:00`. */
function slotNamedIn(round: string): string | undefined {
  return /(?:^|@)(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:[+-]\d{2}:\d{2}|Z))$/.exec(round)?.[1]
}

function lateness(slot: FollowedSlot, { graceMs, lateMs = graceMs }: ExpectationTerms, cameAtMs: number) {
  const lateByMs = cameAtMs - slot.dueMs
  if (lateByMs <= lateMs) return []
  const detail = `came ${formatSeconds(lateByMs)} after its slot, ${formatDuration(lateMs)} are allowed`
  return [{ kind: 'late', detail } as const]
}

function thinness(replicas: number, candidates: number | undefined) {
  if (candidates === undefined || candidates >= replicas) return []
  const detail = `${candidates} of ${replicas} candidates asked for it`
  return [{ kind: 'few-candidates', detail } as const]
}

function ending({ state, reason, deadlineAtMs }: SeenRound, nowMs: number) {
  if (state === 'failed') {
    const detail = reason?.slice(0, MAX_DETAIL).toWellFormed() || 'failed without a reason'
    return [{ kind: 'failed', detail } as const]
  }
  if (state === 'completed' || nowMs < deadlineAtMs) return []
  const detail =
    state === 'submitted' ? 'no worker has started it by its deadline' : 'not reported by its deadline'
  return [{ kind: 'unreported', detail } as const]
}

const MAX_DETAIL = 500

function isFinished({ state, deadlineAtMs }: SeenRound, nowMs: number): boolean {
  return state === 'completed' || state === 'failed' || nowMs >= deadlineAtMs
}

/** In whole seconds, as it is read by people. */
function formatSeconds(ms: number): string {
  return formatDuration(Math.round(ms / 1_000) * 1_000)
}
