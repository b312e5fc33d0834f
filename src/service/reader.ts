import { submissionStateOf } from '../core/job.ts'
import type { HistoryMark, ListedRound, Records, Sighting } from '../core/ports.ts'
import { type RoundRecord, type RoundState, stateOf } from '../core/record.ts'
import { type RoundId, roundKey } from '../core/round.ts'
import type { RoundMemory } from './round-memory.ts'

export interface HistoryPage {
  readonly rounds: readonly ListedRound[]
  readonly nowMs: number
  readonly next?: HistoryMark
}

/** A request for few rounds of a rare state must not read the whole history: the rest is left to the next page. */
const MAX_SCANNED = 2_000

/** Answers who leads and what was completed. */
export class Reader {
  constructor(
    private readonly records: Records,
    private readonly memory: RoundMemory,
    private readonly nowMs: () => number,
  ) {}

  /** The round's record if it has a leader, with a round trip only where this process does not know it. */
  leader(id: RoundId): RoundRecord | undefined | Promise<RoundRecord | undefined> {
    return this.memory.get(roundKey(id)) ?? this.look(id)
  }

  /** The round's record if it is finished. */
  completion(id: RoundId): RoundRecord | undefined | Promise<RoundRecord | undefined> {
    const known = this.memory.get(roundKey(id))
    if (known?.completion) return known
    return this.look(id).then((record) => (record?.completion ? record : undefined))
  }

  /** The round as the store has it now. */
  async round(id: RoundId): Promise<Sighting> {
    return this.records.read(id)
  }

  /** A page of the history, newest first. It may hold fewer rounds than asked for, even none, and still have a next. */
  async history(query: {
    readonly system?: string
    readonly state?: RoundState
    readonly after?: HistoryMark
    readonly limit: number
  }): Promise<HistoryPage> {
    const { state, limit, system } = query
    const found: ListedRound[] = []
    let after = query.after
    let scanned = 0
    for (;;) {
      const page = await this.records.history({
        limit,
        ...(system !== undefined && { system }),
        ...(after && { after }),
      })
      scanned += limit
      for (const [index, listed] of page.rounds.entries()) {
        if (state !== undefined && stateIn(listed, page.nowMs) !== state) continue
        found.push(listed)
        const isLast = index === page.rounds.length - 1 && page.next === undefined
        if (found.length === limit && !isLast) return { rounds: found, nowMs: page.nowMs, next: listed.mark }
      }
      if (page.next === undefined) return { rounds: found, nowMs: page.nowMs }
      if (scanned >= MAX_SCANNED) return { rounds: found, nowMs: page.nowMs, next: page.next }
      after = page.next
    }
  }

  private async look(id: RoundId): Promise<RoundRecord | undefined> {
    const sentAtMs = this.nowMs()
    const { record, nowMs } = await this.records.read(id)
    if (record) this.memory.remember(id, { record, nowMs }, sentAtMs)
    return record
  }
}

function stateIn({ record, submission }: ListedRound, nowMs: number): RoundState {
  if (record) return stateOf(record, nowMs)
  return submission ? submissionStateOf(submission, nowMs) : 'submitted'
}
