import { type RoundId, roundKey } from '../../core/rounds/round.ts'
import { fits, isBefore, isPicky, type RoundFilter } from '../../core/rounds/round-filter.ts'
import type { HistoryMark, ListedRound, Records, Sighting } from '../../core/rounds/round-ports.ts'
import type { Leadership, RoundMemory } from './round-memory.ts'

export interface HistoryPage {
  readonly rounds: readonly ListedRound[]
  readonly nowMs: number
  readonly next?: HistoryMark
  /** How many rounds were looked at for it, and when the last of them came. */
  readonly looked: { readonly entries: number; readonly untilMs?: number }
}

export interface HistoryQuery extends RoundFilter {
  readonly system?: string
  readonly after?: HistoryMark
  readonly limit: number
}

/** A request for few rounds of a rare state must not read the whole history: the rest is left to the next page. */
const MAX_SCANNED = 2_000
/** As many are read together as cost Redis some ms, of each system. */
const LOOK_AT_ONCE = 200

/** Answers who leads and what was completed. */
export class Reader {
  constructor(
    private readonly records: Records,
    private readonly memory: RoundMemory,
    private readonly nowMs: () => number,
  ) {}

  /** Who leads, as far as this process knows it for certain. Costs no round trip. */
  recall(id: RoundId): Leadership | undefined {
    return this.memory.get(roundKey(id))
  }

  /** The round as the store has it now. */
  async round(id: RoundId): Promise<Sighting> {
    const sentAtMs = this.nowMs()
    const seen = await this.records.read(id)
    const { record, nowMs } = seen
    if (record) this.memory.remember(id, { record, nowMs }, sentAtMs)
    return seen
  }

  /** A page of the history, newest first. It may hold fewer rounds than asked for, even none, and still have a next. */
  async history(query: HistoryQuery): Promise<HistoryPage> {
    const { limit, system, ...filter } = query
    const found: ListedRound[] = []
    const atOnce = isPicky(filter) ? LOOK_AT_ONCE : Math.min(limit, LOOK_AT_ONCE)
    let after = query.after
    let entries = 0
    for (;;) {
      const page = await this.records.history({
        limit: atOnce,
        ...(system !== undefined && { system }),
        ...(after && { after }),
      })
      const { nowMs } = page
      for (const [index, listed] of page.rounds.entries()) {
        const looked = { entries: entries + index, untilMs: listed.mark.atMs }
        if (isBefore(filter, listed)) return { rounds: found, nowMs, looked }
        if (!fits(filter, listed, nowMs)) continue
        found.push(listed)
        const isLast = index === page.rounds.length - 1 && page.next === undefined
        if (found.length === limit && !isLast) return { rounds: found, nowMs, next: listed.mark, looked }
      }
      entries += page.rounds.length
      const untilMs = page.next?.atMs ?? page.rounds.at(-1)?.mark.atMs
      const looked = { entries, ...(untilMs !== undefined && { untilMs }) }
      if (page.next === undefined) return { rounds: found, nowMs, looked }
      if (entries + atOnce > MAX_SCANNED) return { rounds: found, nowMs, next: page.next, looked }
      after = page.next
    }
  }
}
