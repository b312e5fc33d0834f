import type { Alerts, Census, ExpectationRecord, WatchName } from '../../core/alerts/alert-ports.ts'
import type { ExpectedSlotJson } from '../../core/alerts/alert-wire.ts'
import { judgeSlot } from '../../core/alerts/expectation.ts'
import { follow } from '../../core/alerts/look.ts'
import type { Records } from '../../core/rounds/round-ports.ts'
import { iso } from '../../core/rounds/round-wire.ts'
import type { Slot, Timetable } from '../../core/time/timetable.ts'
import type { Timetables } from '../schedules/timetables.ts'
import { SlotRounds } from './slot-rounds.ts'

interface ExpectedSlotsParts {
  readonly alerts: Pick<Alerts, 'expectation'>
  readonly records: Records
  readonly census: Pick<Census, 'called'>
  readonly timetables: Timetables
  readonly deadlineMs: number
}

/** What became of the slots of an expectation: who came for them, and who did not. */
export class ExpectedSlots {
  private readonly rounds: SlotRounds

  constructor(private readonly parts: ExpectedSlotsParts) {
    this.rounds = new SlotRounds(parts)
  }

  /** The last slots, newest first; undefined if there is no such expectation. Nothing was expected before it was made. */
  async of(name: WatchName, limit: number) {
    const { alerts, census, timetables } = this.parts
    const { record, nowMs } = await alerts.expectation(name)
    if (record === undefined) return undefined
    const { expectation, updatedAtMs } = record
    const timetable = timetables.of({ timing: expectation.timetable })
    const due = lastSlots(timetable, { fromMs: updatedAtMs, untilMs: nowMs, limit })
    const called = expectation.replicas === undefined ? undefined : await census.called(name.system)
    const slots = await Promise.all(due.map((slot) => this.slot(record, { slot, timetable, nowMs, called })))
    return { slots, nowMs }
  }

  private async slot(
    { system, name, expectation }: ExpectationRecord,
    { slot, timetable, nowMs, called }: Due,
  ): Promise<ExpectedSlotJson> {
    const followed = follow(slot, timetable)
    const round = await this.rounds.of({ of: 'expectation', system, name }, expectation, followed, nowMs)
    const candidates = called && [...((round && called.get(round.round)) ?? [])].toSorted()
    const seen = {
      ...(round && { round }),
      // Who is not known any more may have come.
      ...(candidates?.length && { candidates: candidates.length }),
    }
    const { findings, isOver } = judgeSlot(followed, expectation, seen, nowMs)
    return {
      slot: slot.key,
      at: iso(slot.dueMs),
      ...(round && { round: round.round, state: round.state, cameAt: iso(round.cameAtMs) }),
      wrong: findings.map(({ kind }) => kind),
      isOpen: !isOver,
      ...(candidates && { candidates }),
    }
  }
}

interface Due {
  readonly slot: Slot
  readonly timetable: Timetable
  readonly nowMs: number
  readonly called: ReadonlyMap<string, ReadonlySet<string>> | undefined
}

function lastSlots(
  timetable: Timetable,
  { fromMs, untilMs, limit }: { readonly fromMs: number; readonly untilMs: number; readonly limit: number },
): readonly Slot[] {
  const slots: Slot[] = []
  let last = timetable.last(untilMs)
  while (last && last.dueMs >= fromMs && slots.length < limit) {
    slots.push(last)
    last = timetable.last(last.dueMs - 1)
  }
  return slots
}
