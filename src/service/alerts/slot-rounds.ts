import type { WatchId } from '../../core/alerts/alert-ports.ts'
import {
  type ExpectationTerms,
  type FollowedSlot,
  followUntilMs,
  roundOfSlot,
  type SeenRound,
} from '../../core/alerts/expectation.ts'
import { deadlineAtMs, stateOf } from '../../core/rounds/record.ts'
import type { Records, Sighting } from '../../core/rounds/round-ports.ts'

/** Of how many rounds that came about its time a slot's is chosen. */
const MAX_ROUNDS = 50

interface SlotRoundsParts {
  readonly records: Pick<Records, 'read' | 'came'>
  /** How long after it may be started a round that no worker has started counts as unreported, unless its submission says. */
  readonly deadlineMs: number
}

/** Finds the rounds that came for the slots of what is watched. */
export class SlotRounds {
  constructor(private readonly parts: SlotRoundsParts) {}

  async of(
    id: WatchId,
    expectation: ExpectationTerms,
    slot: FollowedSlot,
    nowMs: number,
  ): Promise<SeenRound | undefined> {
    const { system, name } = id
    if (id.of === 'schedule') return this.read({ system, round: `${name}@${slot.key}` }, nowMs)
    const named = await this.named(id, slot, nowMs)
    const good = named.find(({ state }) => state !== 'failed' && state !== 'overdue')
    if (good) return good
    const untilMs = Math.min(followUntilMs(slot, expectation), nowMs + 1)
    const came = await this.parts.records.came({ system, fromMs: slot.beginMs, untilMs, limit: MAX_ROUNDS })
    const seen = came.flatMap((one) => this.seen(one.id.round, one, nowMs, one.cameAtMs) ?? [])
    const others = named.filter(({ round }) => !seen.some((one) => one.round === round))
    return roundOfSlot(slot, [...seen, ...others])
  }

  /** Those that are known by name: the slot's own, whenever they came and whatever else did, and the one that was its last time. */
  private async named({ system, name }: WatchId, slot: FollowedSlot, nowMs: number) {
    const known = slot.round === undefined ? [] : [slot.round]
    const rounds = [...new Set([`${name}@${slot.key}`, slot.key, ...known])]
    const seen = await Promise.all(rounds.map((round) => this.read({ system, round }, nowMs)))
    return seen.flatMap((one) => one ?? [])
  }

  private async read(id: { readonly system: string; readonly round: string }, nowMs: number) {
    return this.seen(id.round, await this.parts.records.read(id), nowMs)
  }

  private seen(
    round: string,
    { record, submission }: Sighting,
    nowMs: number,
    firstMs?: number,
  ): SeenRound | undefined {
    const cameAtMs = submission?.submittedAtMs ?? firstMs ?? record?.electedAtMs
    if (cameAtMs === undefined) return undefined
    if (record) {
      const reason = record.completion?.outcome === 'failed' ? record.completion.detail : ''
      const state = stateOf(record, nowMs)
      return { round, cameAtMs, state, deadlineAtMs: deadlineAtMs(record), ...(reason && { reason }) }
    }
    if (submission === undefined) return undefined
    const { submittedAtMs, notBeforeMs = submittedAtMs, runTerms } = submission
    const { deadlineMs } = runTerms
    // An own deadline counts from the submission, whenever that may be started.
    const endMs = deadlineMs === undefined ? notBeforeMs + this.parts.deadlineMs : submittedAtMs + deadlineMs
    return { round, cameAtMs, state: 'submitted', deadlineAtMs: endMs }
  }
}
