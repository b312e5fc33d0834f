import { LRUCache } from 'lru-cache'
import { type RoundId, unescapePart } from '../../core/rounds/round.ts'
import { type HistoryMark, isAfter } from '../../core/rounds/round-ports.ts'
import type { SystemIndex } from './system-index.ts'

/** A line of a history. */
export interface HistoryEntry {
  readonly id: RoundId
  readonly mark: HistoryMark
  readonly fence: number
}

/** Where a history is to be read from: the id of an entry as XREVRANGE has it. */
export interface HistoryStart {
  readonly system: string
  readonly from: string
}

interface HistoriesParts {
  readonly index: SystemIndex
  /** So many of each, newest first, none that came before `sinceMs`. */
  readonly read: (
    starts: readonly HistoryStart[],
    count: number,
    sinceMs: number,
  ) => Promise<readonly (readonly HistoryEntry[])[]>
  /** When the newest of each came; undefined where there is none. */
  readonly heads: (starts: readonly HistoryStart[]) => Promise<readonly (HistoryMark | undefined)[]>
  /** A system may have been used for so long since it was said to be. */
  readonly usedSinceMs: number
}

interface Query {
  readonly after?: HistoryMark
  readonly limit: number
}

/** No entry of the system that comes behind a front is newer than its mark. Its system is the one that it is of. */
type Head = HistoryMark

/** What is known of all systems behind a mark: those that have anything there, the newest first. */
interface Front {
  readonly after: HistoryMark
  readonly heads: readonly Head[]
}

/** What was read of one history. */
interface Stretch {
  readonly system: string
  entries: HistoryEntry[]
  isWhole: boolean
}

/** The newest systems are asked one by one; where these are not enough, all are looked at, once for all pages that follow. */
const MAX_SHALLOW = 100
/** In all fronts that are remembered: some 10 MB at the most. */
const MAX_HEADS = 100_000
const KEPT_MS = 120_000
/** As many have their heads looked up together as are read one after the other otherwise. */
const MAX_UNSURE = 500
/** Of one of many systems at first, and how many times as many where that was not enough. */
const [LEAST_AT_ONCE, TIMES_MORE] = [2, 4]

/**
 * The histories of all systems as one, newest first. A page reads no more systems than have rounds on it, wherever it is: as long as
 * somebody reads on, it is remembered when each system's next one came.
 */
export class Histories {
  private readonly fronts = new LRUCache<string, Front>({
    maxSize: MAX_HEADS,
    sizeCalculation: ({ heads }) => Math.max(1, heads.length),
    ttl: KEPT_MS,
    ttlAutopurge: true,
  })

  constructor(private readonly parts: HistoriesParts) {}

  /** One more than the limit, where there are. */
  async of(query: Query & { readonly system?: string }): Promise<readonly HistoryEntry[]> {
    const { system, limit, after } = query
    if (system !== undefined) return newestOf(await this.drawn([system], query), limit + 1)
    const known = after && this.frontFor(after)
    if (after === undefined || known === undefined) {
      const entries = await this.latest(query, after === undefined ? Number.POSITIVE_INFINITY : MAX_SHALLOW)
      if (entries || after === undefined) return entries ?? []
    }
    return this.behind(await this.sure(known ?? { after, heads: await this.allHeads() }, after), query)
  }

  /** By the systems that were used last: no more are read than can have a newer one. Undefined where that takes more than so many. */
  private async latest(query: Query, most: number): Promise<readonly HistoryEntry[] | undefined> {
    const { limit } = query
    const seen = new Set<string>()
    let entries: readonly HistoryEntry[] = []
    for await (const page of this.parts.index.latest()) {
      // One that is used meanwhile comes twice.
      const fresh = page.map(({ system }) => system).filter((system) => !seen.has(system))
      for (const system of fresh) seen.add(system)
      if (seen.size > most) return undefined
      // Of what has enough newer ones already nothing is sent.
      const found = await this.drawn(fresh, { ...query, sinceMs: entries[limit]?.mark.atMs ?? 0 })
      entries = newestOf(found, limit + 1, entries)
      const oldest = entries[limit]
      const usedMs = page.at(-1)?.score ?? 0
      if (oldest !== undefined && usedMs + this.parts.usedSinceMs < oldest.mark.atMs) break
    }
    return entries
  }

  /** Of all of them together what follows, and what is known behind that. */
  private async behind(front: Front, query: Query): Promise<readonly HistoryEntry[]> {
    const { limit } = query
    const { heads } = front
    const read = new Map<string, Stretch>()
    let entries: readonly HistoryEntry[] = []
    for (let at = 0; at < heads.length; at += limit + 1) {
      const oldest = entries[limit]
      const some = heads
        .slice(at, at + limit + 1)
        .filter((head) => oldest === undefined || isAfter(oldest.mark, head))
      if (some.length === 0) break
      const found = await this.drawn(
        some.map(({ system }) => system),
        { ...query, after: front.after },
      )
      for (const stretch of found) read.set(stretch.system, stretch)
      entries = newestOf(found, limit + 1, entries)
    }
    const last = entries.length > limit ? entries[limit - 1] : undefined
    if (last) this.keep({ after: last.mark, heads: headsBehind(last.mark, heads, read) })
    return entries
  }

  /** The nearest that is known, which may be of a page before. */
  private frontFor(after: HistoryMark): Front | undefined {
    let nearest: Front | undefined
    for (const front of this.fronts.values()) {
      const isBefore = !isAfter(front.after, after)
      if (isBefore && (nearest === undefined || isAfter(front.after, nearest.after))) nearest = front
    }
    return nearest && this.fronts.get(keyOf(nearest.after))
  }

  private keep(front: Front): void {
    this.fronts.set(keyOf(front.after), front)
  }

  /** The front behind this mark: where too many may have something right behind it, these are looked up. */
  private async sure({ heads }: Front, after: HistoryMark): Promise<Front> {
    const isUnsure = (head: Head) => !isAfter(head, after)
    const unsure = heads.filter(isUnsure)
    if (unsure.length <= MAX_UNSURE) return { after, heads }
    const found = await this.parts.heads(unsure.map(({ system }) => startOf(system, after)))
    const front = {
      after,
      heads: [...found.filter((head) => head !== undefined), ...heads.filter((head) => !isUnsure(head))].sort(
        newestFirst,
      ),
    }
    this.keep(front)
    return front
  }

  /** Of all systems, of none of which anything is known. */
  private async allHeads(): Promise<readonly Head[]> {
    const systems = new Set<string>()
    for await (const page of this.parts.index.all()) for (const { system } of page) systems.add(system)
    return [...systems].map((system) => ({ atMs: Number.POSITIVE_INFINITY, number: 0, system }))
  }

  /**
   * As much of these histories as the newest `limit + 1` of them together are in. Of each a part of that at first: mostly it is
   * enough, and of many systems all would be many times as much.
   */
  private async drawn(
    systems: readonly string[],
    { after, limit, sinceMs = 0 }: Query & { readonly sinceMs?: number },
  ): Promise<readonly Stretch[]> {
    const most = limit + 1
    const stretches = systems.map((system): Stretch => ({ system, entries: [], isWhole: false }))
    const each = most / systems.length
    // As many as one has on the page where they come by chance, and two deviations more: what is read in vain is read again.
    let count = Math.min(most, Math.max(LEAST_AT_ONCE, Math.ceil(each + 2 * Math.sqrt(each))))
    let open = stretches
    while (open.length > 0) {
      const starts = open.map(({ system, entries }) => startOf(system, entries.at(-1)?.mark ?? after))
      const pages = await this.parts.read(starts, count, sinceMs)
      for (const [index, stretch] of open.entries()) {
        const page = pages[index] ?? []
        stretch.entries = [...stretch.entries, ...page]
        stretch.isWhole = page.length < count
      }
      const oldest = newestOf(stretches, most)[limit]
      open = open.filter(({ entries, isWhole }) => {
        const last = entries.at(-1)
        return !isWhole && last && (oldest === undefined || isAfter(oldest.mark, last.mark))
      })
      count = Math.min(most, count * TIMES_MORE)
    }
    return stretches
  }
}

function newestOf(
  stretches: readonly Stretch[],
  count: number,
  others: readonly HistoryEntry[] = [],
): readonly HistoryEntry[] {
  const all = [...others, ...stretches.flatMap(({ entries }) => entries)]
  return all.sort((a, b) => newestFirst(a.mark, b.mark)).slice(0, count)
}

/** What is known behind a mark, once these were read before it: they are ahead of all that were not. */
function headsBehind(
  after: HistoryMark,
  heads: readonly Head[],
  read: ReadonlyMap<string, Stretch>,
): readonly Head[] {
  const moved = [...read.values()].flatMap(({ system, entries, isWhole }): Head[] => {
    const next = entries.find(({ mark }) => isAfter(mark, after))
    if (next) return [next.mark]
    return isWhole ? [] : [{ ...after, system }]
  })
  return [...moved, ...heads.filter(({ system }) => !read.has(system))].sort(newestFirst)
}

function newestFirst(a: HistoryMark, b: HistoryMark): number {
  return isAfter(b, a) ? -1 : 1
}

function keyOf({ atMs, number, system }: HistoryMark): string {
  return `${atMs}-${number} ${system}`
}

/** Behind the mark, which may be an entry of another system. */
function startOf(system: string, after: HistoryMark | undefined): HistoryStart {
  if (after === undefined) return { system, from: '+' }
  const { atMs, number, system: marked } = after
  // There is nothing behind the first id that there could be, and Redis refuses to be asked for it.
  if (atMs < 0 || (atMs === 0 && number === 0)) return { system, from: '0-0' }
  return { system, from: system < marked ? `${atMs}-${number}` : `(${atMs}-${number}` }
}

export function entriesOf(system: string, reply: unknown): HistoryEntry[] {
  return (reply as [string, string[]][]).map(([streamId, [, round = '', , fence = '']]) => ({
    id: { system, round: unescapePart(round) },
    mark: markOf(system, streamId),
    fence: Number(fence),
  }))
}

/** @param streamId as Redis has it */
export function markOf(system: string, streamId: string): HistoryMark {
  const [atMs, number] = streamId.split('-').map(Number)
  return { atMs: atMs ?? 0, number: number ?? 0, system }
}
