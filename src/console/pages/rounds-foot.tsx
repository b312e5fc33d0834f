import type { TallyJson } from '../../core/rounds/round-wire.ts'
import { addressWith, asked } from '../lib/address.ts'
import { shownPath } from '../lib/base.ts'
import { zone } from '../lib/choices.ts'
import { serverNowMs } from '../lib/clock.ts'
import { h, type VNode } from '../lib/preact.js'
import { moment } from '../lib/times.ts'
import { Empty } from '../parts/empty.tsx'
import type { Rows } from './rounds-kept.ts'

/** A search that goes on over several questions. */
export interface Search {
  readonly isSearching: boolean
  readonly further: () => void
  readonly stop: () => void
}

/** Where no round fits what is looked for, or none has been found yet. */
export function NoRound({ kept, search }: { readonly kept: Rows; readonly search: Search }): VNode {
  return (
    <Empty>
      {search.isSearching ? 'No round matches yet.' : 'No round matches.'} {lookedAt(kept)}.{' '}
      <Further kept={kept} search={search} /> <a href={shownPath()}>Clear all</a>
    </Empty>
  )
}

/** How many are shown, how far was looked, and the way to what is older. */
export function Foot({
  kept,
  tally,
  search,
}: {
  readonly kept: Rows
  readonly tally: TallyJson | undefined
  readonly search: Search
}): VNode {
  const { rows, next, looked } = kept
  return (
    <p class="pager">
      {asked('before') !== undefined && (
        <a rel="first" href={addressWith({ before: undefined })}>
          Newest
        </a>
      )}
      <span class="quiet">
        {rows.length} shown
        {tally?.hasMore && ` · counts are of the newest ${tally.looked.entries.toLocaleString('en')}`}
        {rows.length > 0 && looked.until !== undefined && ` · ${lookedAt(kept).toLowerCase()}`}
      </span>
      {rows.length > 0 && looked.until !== undefined && <Further kept={kept} search={search} />}
      {next !== undefined && !search.isSearching && (
        <a rel="next" href={addressWith({ before: next })}>
          Older
        </a>
      )}
    </p>
  )
}

function lookedAt({ looked }: Rows): string {
  const until =
    looked.until === undefined ? '' : `, back to ${moment(Date.parse(looked.until), zone(), serverNowMs())}`
  return `Looked at ${looked.entries.toLocaleString('en')}${until}`
}

function Further({ kept, search }: { readonly kept: Rows; readonly search: Search }): VNode | null {
  if (search.isSearching)
    return (
      <button type="button" onClick={search.stop}>
        Stop
      </button>
    )
  if (kept.next === undefined) return null
  return (
    <button type="button" onClick={search.further}>
      Look further
    </button>
  )
}
