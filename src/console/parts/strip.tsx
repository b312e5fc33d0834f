import type { RoundJson } from '../../core/rounds/round-wire.ts'
import type { LeftOutSlotJson } from '../../core/schedules/schedule-wire.ts'
import { h, type VNode } from '../lib/preact.js'
import { duration } from '../lib/times.ts'

interface Went {
  /** Of a round or a slot. */
  readonly round: string
  readonly state: string
  /** What there is to say besides. */
  readonly more?: string
}

const BAD = ['failed', 'overdue', 'missed', 'late', 'unreported', 'few-candidates']
const MAX_SLOTS = 30
/** Up to here a slot counts as on time, as it does for who submits it. */
const ON_TIME_MS = 10_000

/** How the last ones went, oldest first: height and shape say how each ended, colour only again. */
export function Strip({
  rounds,
  what = 'rounds',
}: {
  readonly rounds: readonly Went[]
  readonly what?: string
}): VNode {
  const bad = rounds.filter(({ state }) => BAD.includes(state)).length
  return (
    <span class="strip">
      <span class="unseen">
        {rounds.length} {what}, {bad} of them not as they should be
      </span>
      {rounds.map(({ round, state, more }) => (
        <i key={round} class={state} title={`${round}: ${state}${more === undefined ? '' : `, ${more}`}`} />
      ))}
    </span>
  )
}

/** Of rounds that are newest first those of each schedule, oldest first, at most 30. */
export function slotsOf(rounds: readonly RoundJson[]): ReadonlyMap<string, readonly RoundJson[]> {
  const found = new Map<string, RoundJson[]>()
  for (const round of rounds) {
    const at = round.round.indexOf('@')
    if (at < 0) continue
    const key = `${round.system}/${round.round.slice(0, at)}`
    const slots = found.get(key) ?? []
    if (slots.length < MAX_SLOTS) slots.unshift(round)
    found.set(key, slots)
  }
  // What was led or ended late comes late in the history.
  for (const slots of found.values()) slots.sort((a, b) => slotMs(a) - slotMs(b))
  return found
}

/** The last slots of a schedule: what became of their rounds, and those that no round was submitted for. */
export function wentOf(
  rounds: readonly RoundJson[] = [],
  leftOut: readonly LeftOutSlotJson[] = [],
): readonly Went[] {
  const submitted = new Set(rounds.map(({ round }) => round))
  const without = leftOut.filter(({ round }) => !submitted.has(round))
  return [...rounds.map(wentIn), ...without.map(({ round, why }) => ({ round, state: why }))]
    .toSorted((a, b) => slotMs(a) - slotMs(b))
    .slice(-MAX_SLOTS)
}

function wentIn(round: RoundJson): Went {
  const { state, job, history = [] } = round
  // Of one that was opened again it is the submission of that.
  const lateMs = job && history.length === 0 ? Date.parse(job.submittedAt) - slotMs(round) : 0
  const more = [
    lateMs > ON_TIME_MS && `${duration(lateMs)} late`,
    history.length > 0 && `opened again ${history.length === 1 ? 'once' : `${history.length} times`}`,
  ].filter((one) => one !== false)
  return {
    round: round.round,
    state: state === 'completed' && lateMs > ON_TIME_MS ? 'late' : state,
    ...(more.length > 0 && { more: more.join(', ') }),
  }
}

function slotMs({ round }: Pick<Went, 'round'>): number {
  return Date.parse(round.slice(round.indexOf('@') + 1)) || 0
}
