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
/** As many are read together as cost Redis some ms. */
const LOOK_AT_ONCE = 200
/** The same where a name is looked for: histories have the names, and no record is read of what has another. */
const MAX_NAMES_SCANNED = 10_000
const NAMES_AT_ONCE = 500

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
    const { text } = filter
    const most = text === undefined ? MAX_SCANNED : MAX_NAMES_SCANNED
    const atOnce = atOnceFor(filter, limit)
    let after = query.after
    let entries = 0
    let nowMs = 0
    for (;;) {
      const page = await this.records.history({
        limit: atOnce,
        ...(system !== undefined && { system }),
        ...(text !== undefined && { text }),
        ...(after && { after }),
      })
      nowMs = Math.max(nowMs, page.nowMs)
      for (const listed of page.rounds) {
        const looked = { entries: entries + listed.nth, untilMs: listed.mark.atMs }
        if (isBefore(filter, listed)) return { rounds: found, nowMs, looked }
        if (!fits(filter, listed, page.nowMs)) continue
        found.push(listed)
        const isLast = listed.nth === page.looked - 1 && page.next === undefined
        if (found.length === limit && !isLast) return { rounds: found, nowMs, next: listed.mark, looked }
      }
      entries += page.looked
      const { next } = page
      const untilMs = next?.atMs ?? page.rounds.at(-1)?.mark.atMs
      const looked = { entries, ...(untilMs !== undefined && { untilMs }) }
      if (next === undefined || isBefore(filter, { mark: next })) return { rounds: found, nowMs, looked }
      if (entries + atOnce > most) return { rounds: found, nowMs, next, looked }
      after = next
    }
  }
}

function atOnceFor(filter: RoundFilter, limit: number): number {
  if (filter.text !== undefined) return NAMES_AT_ONCE
  return isPicky(filter) ? LOOK_AT_ONCE : Math.min(limit, LOOK_AT_ONCE)
}
