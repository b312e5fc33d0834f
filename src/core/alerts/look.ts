import type { Slot, Timetable } from '../time/timetable.ts'
import type { Excuse, Look, SlotNews, WatchProgress } from './alert-ports.ts'
import {
  type ExpectationTerms,
  type FollowedSlot,
  judgeSlot,
  nextLookMs,
  type SeenRound,
} from './expectation.ts'

/** What is known of a followed slot. */
export interface SlotFacts {
  readonly round?: SeenRound
  readonly candidates?: number
  /** Why it has no round, if that is as it should be. */
  readonly excuse?: Excuse
}

/** The clock of an outside system may be ahead by so much, or a quarter of the time between slots where that is shorter. */
const EARLY_MS = 30_000
const DAY_MS = 86_400_000
/** How many slots are taken up in one look; the rest waits for the next. */
const MAX_AT_ONCE = 100
/** How many slots of a watch are followed at a time. */
const MAX_FOLLOWED = 200
/** A slot is not looked at before somebody had the time to come. */
const FIRST_LOOK_MS = 1_000
const MAX_REST_MS = 3_600_000

/**
 * The progress with the slots that have become due. Where too many are followed already, a slot is taken up when its grace
 * is over, so that it is judged at once and need not be kept.
 */
export function takeUp(
  { cursorMs, slots }: WatchProgress,
  { graceMs }: ExpectationTerms,
  timetable: Timetable,
  nowMs: number,
): WatchProgress {
  const room = MAX_FOLLOWED - slots.length
  const untilMs = room > 0 ? nowMs : nowMs - graceMs
  const due = timetable.between(cursorMs, untilMs, room > 0 ? Math.min(room, MAX_AT_ONCE) : MAX_AT_ONCE)
  const lastMs = due.at(-1)?.dueMs ?? cursorMs
  return {
    cursorMs: Math.max(cursorMs, lastMs),
    slots: [...slots, ...due.map((slot) => follow(slot, timetable))],
  }
}

/** Judges all followed slots by what is known of them, in the same order. */
export function lookAt(
  { cursorMs, slots }: WatchProgress,
  terms: ExpectationTerms,
  timetable: Timetable,
  facts: readonly SlotFacts[],
  nowMs: number,
): Look {
  const news: SlotNews[] = []
  const open: { slot: FollowedSlot; round?: SeenRound }[] = []
  for (const [index, slot] of slots.entries()) {
    const seen = facts[index] ?? {}
    // Or its record has ended, and with it what could be said of it.
    if (seen.excuse === 'leftOut' || (slot.round !== undefined && seen.round === undefined)) continue
    const { findings, isOver } =
      seen.excuse === 'held' ? { findings: [], isOver: false } : judgeSlot(slot, terms, seen, nowMs)
    const { round } = seen
    news.push(...tellCome(slot, round))
    for (const { kind, detail } of findings) {
      if (slot.found.includes(kind)) continue
      news.push({ ...about(slot), kind: 'bad', alert: kind, detail, ...(round && { round: round.round }) })
    }
    const found = [...new Set([...slot.found, ...findings.map(({ kind }) => kind)])]
    if (isOver && found.length === 0)
      news.push({ ...about(slot), kind: 'good', resolution: goodWords(round) })
    if (!isOver) open.push({ slot: { ...slot, ...noted(slot, round), found }, ...(round && { round }) })
  }
  // The oldest are kept, so that some come to their end however dense the slots are.
  const kept = open.slice(0, MAX_FOLLOWED)
  const next = timetable.after(cursorMs)
  const nextMs = next && next.dueMs + (kept.length < MAX_FOLLOWED ? FIRST_LOOK_MS : terms.graceMs)
  const looksMs = kept.map(({ slot, round }) => nextLookMs(slot, terms, round, nowMs))
  return {
    progress: { cursorMs, slots: kept.map(({ slot }) => slot) },
    news,
    nextLookMs: Math.min(nowMs + MAX_REST_MS, nextMs ?? Number.POSITIVE_INFINITY, ...looksMs),
  }
}

export function follow(slot: Slot, timetable: Timetable): FollowedSlot {
  const before = timetable.last(slot.dueMs - 1)
  const next = timetable.after(slot.dueMs)
  const endMs = next ? next.dueMs - earlyMs(next.dueMs - slot.dueMs) : slot.dueMs + DAY_MS
  return {
    ...slot,
    beginMs: slot.dueMs - earlyMs(before ? slot.dueMs - before.dueMs : DAY_MS),
    // What comes a day later is not late but another round.
    endMs: Math.min(endMs, slot.dueMs + DAY_MS),
    found: [],
  }
}

function earlyMs(gapMs: number): number {
  return Math.floor(Math.min(EARLY_MS, gapMs / 4))
}

function tellCome(slot: FollowedSlot, round: SeenRound | undefined): readonly SlotNews[] {
  if (round === undefined || !slot.found.includes('missed') || slot.round !== undefined) return []
  return [{ ...about(slot), kind: 'came', resolution: `round ${round.round} came after all` }]
}

function noted(slot: FollowedSlot, round: SeenRound | undefined): Partial<FollowedSlot> {
  if (round === undefined) return {}
  return { round: round.round, cameAtMs: slot.cameAtMs ?? round.cameAtMs }
}

function goodWords(round: SeenRound | undefined): string {
  return `round ${round?.round ?? ''} was completed in time`
}

function about({ key, dueMs }: FollowedSlot): { readonly slot: string; readonly dueMs: number } {
  return { slot: key, dueMs }
}
