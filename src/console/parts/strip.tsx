import type { RoundJson } from '../../core/rounds/round-wire.ts'
import { h, type VNode } from '../lib/preact.js'

interface Went {
  /** Of a round or a slot. */
  readonly round: string
  readonly state: string
}

const BAD = ['failed', 'overdue', 'missed', 'late', 'unreported', 'few-candidates']

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
      {rounds.map((round) => (
        <i key={round.round} class={round.state} title={`${round.round}: ${round.state}`} />
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
    if (slots.length < 30) slots.unshift(round)
    found.set(key, slots)
  }
  // What was led or ended late comes late in the history.
  for (const slots of found.values()) slots.sort((a, b) => slotMs(a) - slotMs(b))
  return found
}

function slotMs({ round }: RoundJson): number {
  return Date.parse(round.slice(round.indexOf('@') + 1)) || 0
}
