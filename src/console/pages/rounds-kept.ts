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
  /** A search has gone on past the first page: what it has found, and how far it has come, is not asked for again. */
  let isBeyond = false

  function showAll(data: RoundListJson): void {
    if (data.next === undefined) isBeyond = false
    kept = isBeyond ? { ...kept, rows: merged(kept.rows, data), coming: 0, stale: new Set() } : firstOf(data)
  }

  return {
    rows: () => kept,
    take(data: RoundListJson, isNewest: boolean): void {
      newest = data
      if (kept.rows.length === 0 || (isNewest && isNobodyThere())) {
        showAll(data)
        return
      }
      const found = new Map(data.rounds.map((round) => [roundKeyOf(round), round]))
      kept = {
        ...kept,
        rows: kept.rows.map((row) => found.get(roundKeyOf(row)) ?? row),
        coming: isNewest ? comingIn(data, kept.rows) : 0,
        stale: goneFrom(kept.rows, data),
      }
    },
    append({ rounds, next, looked }: RoundListJson): void {
      isBeyond = true
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

function firstOf({ rounds, next, looked = { entries: 0 } }: RoundListJson): Rows {
  return { rows: rounds, coming: 0, next, looked, stale: new Set() }
}

/** The first page as it is now, and what was found beyond it. */
function merged(rows: readonly RoundJson[], data: RoundListJson): readonly RoundJson[] {
  const gone = goneFrom(rows, data)
  const first = new Set(data.rounds.map(roundKeyOf))
  return [...data.rounds, ...rows.filter((row) => !first.has(roundKeyOf(row)) && !gone.has(roundKeyOf(row)))]
}

function comingIn({ rounds }: RoundListJson, rows: readonly RoundJson[]): number {
  const shown = new Set(rows.map(roundKeyOf))
  return rounds.filter((round) => !shown.has(roundKeyOf(round))).length
}

/** Keys of rows that would be on the first page, and are not. */
function goneFrom(rows: readonly RoundJson[], data: RoundListJson): ReadonlySet<string> {
  const found = new Set(data.rounds.map(roundKeyOf))
  // Those beyond the page's end were only pushed out.
  const last = data.next === undefined ? Number.POSITIVE_INFINITY : data.rounds.length - comingIn(data, rows)
  return new Set(
    rows
      .slice(0, last)
      .map(roundKeyOf)
      .filter((key) => !found.has(key)),
  )
}

/** True if what comes moves nothing that somebody looks at, points at or has chosen. */
function isNobodyThere(): boolean {
  const table = document.querySelector('main table')
  if (table === null) return true
  return scrollY === 0 && !table.matches(':hover') && !table.contains(document.activeElement)
}
