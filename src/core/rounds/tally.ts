import type { RoundState } from './record.ts'
import { stateIn } from './round-filter.ts'
import type { ListedRound } from './round-ports.ts'
import {
  iso,
  type LookedAfter,
  type RoundJson,
  roundJson,
  type SpreadJson,
  type TallyJson,
} from './round-wire.ts'

const MINUTE_MS = 60_000
const MINUTES = 60
const MAX_NEWEST = 10

interface Seen {
  readonly rounds: readonly ListedRound[]
  readonly looked: { readonly entries: number; readonly untilMs?: number }
  readonly hasMore: boolean
  readonly nowMs: number
  /** How many are overdue of all there are, where that is known besides. */
  readonly overdue?: number
}

/** Counts these rounds: by state, by the minute in which they came, and how long they waited and took. */
export function tallyOf({ rounds, looked, hasMore, nowMs, overdue = 0 }: Seen): TallyJson {
  const counts: Record<RoundState, number> = {
    submitted: 0,
    open: 0,
    led: 0,
    overdue: 0,
    completed: 0,
    failed: 0,
  }
  const [took, waited]: [number[], number[]] = [[], []]
  for (const listed of rounds) {
    const { record, submission } = listed
    counts[stateIn(listed, nowMs)] += 1
    if (record?.completion) took.push(record.completion.atMs - record.electedAtMs)
    if (record && submission) waited.push(record.electedAtMs - submission.submittedAtMs)
  }
  // One whose deadline has just come may not be noted yet.
  counts.overdue = Math.max(counts.overdue, overdue)
  const { entries, untilMs } = looked
  return {
    counts,
    newest: {
      overdue: newestIn(rounds, 'overdue', nowMs),
      led: newestIn(rounds, 'led', nowMs),
      submitted: newestIn(rounds, 'submitted', nowMs),
      failed: newestIn(rounds, 'failed', nowMs),
    },
    looked: { entries, ...(untilMs !== undefined && { until: iso(untilMs) }) },
    hasMore,
    minutes: minutesOf(rounds, hasMore ? untilMs : undefined, nowMs),
    ...(took.length > 0 && { took: spreadOf(took) }),
    ...(waited.length > 0 && { waited: spreadOf(waited) }),
    now: iso(nowMs),
  }
}

function newestIn(rounds: readonly ListedRound[], state: LookedAfter, nowMs: number): RoundJson[] {
  const found = rounds.filter((listed) => stateIn(listed, nowMs) === state).slice(0, MAX_NEWEST)
  return found.flatMap((listed) => roundJson(listed.id, listed, nowMs) ?? [])
}

/** @param sinceMs what came before is not known */
function minutesOf(rounds: readonly ListedRound[], sinceMs: number | undefined, nowMs: number) {
  const last = Math.floor(nowMs / MINUTE_MS)
  // Of the minute that was begun to be looked at there may be more.
  const known = sinceMs === undefined ? 0 : Math.floor(sinceMs / MINUTE_MS) + 1
  const first = Math.max(last - MINUTES + 1, Math.min(known, last))
  const minutes = Array.from({ length: last - first + 1 }, () => ({ came: 0, failed: 0 }))
  for (const listed of rounds) {
    const minute = minutes[Math.floor(listed.mark.atMs / MINUTE_MS) - first]
    if (minute === undefined) continue
    minute.came += 1
    if (stateIn(listed, nowMs) === 'failed') minute.failed += 1
  }
  return minutes.map((minute, index) => ({ at: iso((first + index) * MINUTE_MS), ...minute }))
}

function spreadOf(values: number[]): SpreadJson {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number) =>
    Math.max(0, Math.round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0))
  return { p50Ms: at(0.5), p99Ms: at(0.99) }
}
