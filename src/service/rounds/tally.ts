import { LRUCache } from 'lru-cache'
import type { RoundFilter } from '../../core/rounds/round-filter.ts'
import type { Records } from '../../core/rounds/round-ports.ts'
import type { TallyJson } from '../../core/rounds/round-wire.ts'
import { tallyOf } from '../../core/rounds/tally.ts'
import type { Reader } from './reader.ts'

interface TallyParts {
  readonly reader: Pick<Reader, 'history'>
  readonly records: Pick<Records, 'overdueCount'>
  /** A clock that never goes back. */
  readonly nowMs: () => number
}

/** As many as cost Redis some 40 ms, in pieces between which elections are answered. */
const MAX_COUNTED = 2_000
const KEPT_MS = 2_000
const MAX_QUESTIONS = 100

interface Kept {
  readonly atMs: number
  readonly answer: Promise<TallyJson>
}

/** Counts the newest rounds, for all who ask the same together. */
export class Tally {
  private readonly kept = new LRUCache<string, Kept>({ max: MAX_QUESTIONS })

  constructor(private readonly parts: TallyParts) {}

  /** @throws GoneError `STORE_UNAVAILABLE` */
  of(filter: RoundFilter & { readonly system?: string }): Promise<TallyJson> {
    const question = JSON.stringify(Object.entries(filter).toSorted())
    const nowMs = this.parts.nowMs()
    const kept = this.kept.get(question)
    if (kept && nowMs - kept.atMs < KEPT_MS) return kept.answer
    const answer = this.count(filter)
    this.kept.set(question, { atMs: nowMs, answer })
    // Who asks next asks anew.
    answer.catch(() => this.kept.delete(question))
    return answer
  }

  private async count(filter: RoundFilter & { readonly system?: string }): Promise<TallyJson> {
    const page = await this.parts.reader.history({ ...filter, limit: MAX_COUNTED })
    // Where there is no round, the store was not asked for its time either.
    const seen = { ...page, nowMs: page.nowMs || Date.now(), hasMore: page.next !== undefined }
    const isOfAll = Object.keys(filter).length === 0
    // A round is overdue so late that where many come it is among the newest no more.
    if (!isOfAll || !seen.hasMore) return tallyOf(seen)
    return tallyOf({ ...seen, overdue: await this.parts.records.overdueCount() })
  }
}
