import type { RoundJson, RoundListJson } from '../../core/rounds/round-wire.ts'
import { draw } from '../lib/draw.ts'
import { roundKeyOf } from '../parts/round-rows.ts'

export interface Rows {
  readonly rows: readonly RoundJson[]
  /** How many have come that are not shown yet. */
  readonly coming: number
  readonly next: string | undefined
  readonly looked: { readonly entries: number; readonly until?: string }
  /** Keys of rows that do not fit what is looked for any more. */
  readonly stale: ReadonlySet<string>
}

/**
 * The rows of a list that goes on: those that are there change in their places, and new ones wait until they are wanted, or
 * nobody is at the list. Nothing moves under a pointer.
 */
export function rowsKept() {
  let kept: Rows = { rows: [], coming: 0, next: undefined, looked: { entries: 0 }, stale: new Set() }
  let newest: RoundListJson | undefined

  function showAll(data: RoundListJson): void {
    kept = {
      rows: data.rounds,
      coming: 0,
      next: data.next,
      looked: data.looked ?? { entries: 0 },
      stale: new Set(),
    }
  }

  return {
    rows: () => kept,
    take(data: RoundListJson, isNewest: boolean): void {
      newest = data
      if (kept.rows.length === 0) {
        // Asked anew, it has not looked as far as the search has.
        const isShort = data.rounds.length === 0 && (data.looked?.entries ?? 0) < kept.looked.entries
        if (!isShort) showAll(data)
        return
      }
      const found = new Map(data.rounds.map((round) => [roundKeyOf(round), round]))
      const shown = new Set(kept.rows.map(roundKeyOf))
      const coming = data.rounds.filter((round) => !shown.has(roundKeyOf(round))).length
      const isSearching = kept.rows.length > data.rounds.length && data.looked !== undefined
      if (isNewest && !isSearching && isNobodyThere()) {
        showAll(data)
        return
      }
      // Those beyond the page's end were only pushed out.
      const last = data.next === undefined ? Number.POSITIVE_INFINITY : data.rounds.length - coming
      const gone = kept.rows
        .slice(0, last)
        .map(roundKeyOf)
        .filter((key) => !found.has(key))
      kept = {
        ...kept,
        rows: kept.rows.map((row) => found.get(roundKeyOf(row)) ?? row),
        coming: isNewest ? coming : 0,
        stale: new Set(gone),
      }
    },
    append({ rounds, next, looked }: RoundListJson): void {
      const sum = {
        entries: kept.looked.entries + (looked?.entries ?? 0),
        ...(looked?.until !== undefined && { until: looked.until }),
      }
      kept = { ...kept, rows: [...kept.rows, ...rounds], next, looked: sum }
    },
    showComing(): void {
      if (newest) showAll(newest)
      scrollTo({ top: 0 })
      draw()
    },
  }
}

/** True if what comes moves nothing that somebody looks at, points at or has chosen. */
function isNobodyThere(): boolean {
  const table = document.querySelector('main table')
  if (table === null) return true
  return scrollY === 0 && !table.matches(':hover') && !table.contains(document.activeElement)
}
