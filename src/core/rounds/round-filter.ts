import { submissionStateOf } from './job.ts'
import { type RoundState, stateOf } from './record.ts'
import type { RoundId } from './round.ts'
import type { ListedRound } from './round-ports.ts'

/** What rounds of the history somebody looks for; what is missing fits all. */
export interface RoundFilter {
  readonly state?: RoundState
  /** A part of the round's name, in whatever case. */
  readonly text?: string
  /** The worker that it was submitted to. */
  readonly worker?: string
  /** A part of the leader's address, or of what it calls itself. */
  readonly leader?: string
  /** It came then or later, by the clock of the store. */
  readonly fromMs?: number
}

/** True if somebody has to look for them: most rounds may not fit. */
export function isPicky({ state, text, worker, leader, fromMs }: RoundFilter): boolean {
  return [state, text, worker, leader, fromMs].some((one) => one !== undefined)
}

export function fits(filter: RoundFilter, listed: ListedRound, nowMs: number): boolean {
  const { state, text, worker, leader } = filter
  const { id, record, submission } = listed
  return (
    (state === undefined || stateIn(listed, nowMs) === state) &&
    (text === undefined || isNamed(id, text)) &&
    (worker === undefined || submission?.queue === worker) &&
    (leader === undefined || isOf(leader.toLowerCase(), record?.leader, record?.leaderName))
  )
}

/** True if its name holds the text, in whatever case. */
export function isNamed({ round }: Pick<RoundId, 'round'>, text: string): boolean {
  return text === '' || round.toLowerCase().includes(text.toLowerCase())
}

function isOf(text: string, ...names: readonly (string | undefined)[]): boolean {
  return names.some((name) => name?.toLowerCase().includes(text))
}

/** True if this round came before those that are looked for, and so did all that follow it in the history. */
export function isBefore({ fromMs }: RoundFilter, { mark }: Pick<ListedRound, 'mark'>): boolean {
  return fromMs !== undefined && mark.atMs < fromMs
}

export function stateIn(
  { record, submission }: Pick<ListedRound, 'record' | 'submission'>,
  nowMs: number,
): RoundState {
  if (record) return stateOf(record, nowMs)
  return submission ? submissionStateOf(submission, nowMs) : 'submitted'
}
