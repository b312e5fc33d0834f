import type { RoundListJson, TallyJson } from '../../core/rounds/round-wire.ts'
import { asked } from '../lib/address.ts'
import { ask, pathOf } from '../lib/ask.ts'
import { serverNowMs } from '../lib/clock.ts'
import { draw } from '../lib/draw.ts'
import { follow } from '../lib/follow.ts'
import type { Ground, Page } from '../lib/page.ts'
import { h, type VNode } from '../lib/preact.js'
import { Empty, serverUrl, Waiting } from '../parts/empty.tsx'
import { Files } from '../parts/files.tsx'
import { type Field, Filters, Tabs } from '../parts/filters.tsx'
import { roundKeyOf } from '../parts/round-rows.ts'
import { Table } from '../parts/table.tsx'
import { ROUND_COLUMNS, ROUND_FILE } from './rounds-columns.tsx'
import { Foot, NoRound, type Search } from './rounds-foot.tsx'
import { type Rows, rowsKept } from './rounds-kept.ts'

const PAGE_SIZE = 50
/** So often a search goes on by itself; then whoever looks says. */
const MAX_LOOKS = 10

const SINCE: Readonly<Record<string, number>> = { '1h': 3_600_000, '24h': 86_400_000, '7d': 604_800_000 }

const FIELDS: readonly Field[] = [
  { name: 'q', label: 'Round', isSearch: true },
  { name: 'system', label: 'System' },
  { name: 'worker', label: 'Worker' },
  { name: 'leader', label: 'Led by' },
  {
    name: 'since',
    label: 'Came',
    choices: [
      ['', 'any time'],
      ['1h', 'last hour'],
      ['24h', 'last 24 h'],
      ['7d', 'last 7 days'],
    ],
  },
]

/** Which rounds came, who led them, for how long, and how they ended. */
export function roundsPage(_: Ground): Page {
  const kept = rowsKept()
  let goes = 0
  let isStopped = false
  const search = {
    isSearching: false,
    further: () => void further(),
    stop: () => {
      isStopped = true
    },
  }
  const list = follow<RoundListJson>(
    () => listPath(asked('before')),
    asked('before') === undefined ? ['rounds'] : [],
    {
      onData: (data) => {
        kept.take(data, asked('before') === undefined)
        if (goes === 0) void further()
      },
    },
  )
  const tally = follow<TallyJson>(() => pathOf('rounds/tally', narrowed()), ['rounds'])

  /** Goes on looking where few were found. */
  async function further(): Promise<void> {
    if (search.isSearching) return
    search.isSearching = true
    isStopped = false
    for (let n = 0; n < MAX_LOOKS && !isStopped; n += 1) {
      const { next, rows } = kept.rows()
      if (next === undefined || rows.length >= PAGE_SIZE) break
      goes += 1
      try {
        const page = await ask<RoundListJson>(listPath(next))
        // Where the first page was shown anew meanwhile, it goes on from there.
        if (kept.rows().next === next) kept.append(page)
      } catch {
        break
      }
      draw()
    }
    search.isSearching = false
    draw()
  }

  return {
    title: 'Rounds',
    view: () => (
      <div>
        <div class="head">
          <h1>Rounds</h1>
          <div class="side">
            <Files name="rounds" columns={ROUND_FILE} rows={kept.rows().rows} />
          </div>
        </div>
        <Filters fields={FIELDS} />
        <div class="line">
          {tabsOf(tally.data)}
          {kept.rows().coming > 0 && (
            <button type="button" class="pill" onClick={kept.showComing}>
              {kept.rows().coming} new · show
            </button>
          )}
        </div>
        <div class="panel">
          {list.data === undefined ? <Waiting trouble={list.trouble} /> : tableOf(kept.rows(), search)}
        </div>
        <Foot kept={kept.rows()} tally={tally.data} search={search} />
      </div>
    ),
  }
}

function listPath(cursor: string | undefined): string {
  return pathOf('rounds', { ...narrowed(), state: asked('state'), limit: PAGE_SIZE, cursor })
}

function narrowed() {
  const since = SINCE[asked('since') ?? '']
  return {
    q: asked('q'),
    system: asked('system'),
    worker: asked('worker'),
    leader: asked('leader'),
    // To the minute, so that the same question is one.
    from:
      since === undefined
        ? undefined
        : new Date(Math.floor((serverNowMs() - since) / 60_000) * 60_000).toISOString(),
  }
}

function tableOf(kept: Rows, search: Search): VNode {
  const { rows, stale } = kept
  if (rows.length > 0)
    return (
      <Table
        caption="Rounds, newest first"
        columns={ROUND_COLUMNS}
        rows={rows}
        keyOf={roundKeyOf}
        classOf={(row) => (stale.has(roundKeyOf(row)) ? 'stale' : '')}
      />
    )
  const isFiltered = [...FIELDS, { name: 'state' }].some(({ name }) => asked(name) !== undefined)
  if (isFiltered) return <NoRound kept={kept} search={search} />
  return (
    <Empty command={`curl -X POST ${serverUrl()}/api/v1/elect/cleaner/2026-11-26-0800`}>
      No round yet. Ask for one:
    </Empty>
  )
}

function tabsOf(tally: TallyJson | undefined): VNode {
  const { counts } = tally ?? {}
  const all = counts && Object.values(counts).reduce((sum, count) => sum + count, 0)
  const more = tally?.hasMore && all !== undefined ? `${all}+` : all
  return (
    <Tabs
      name="state"
      label="States"
      tabs={[
        { value: undefined, text: 'all', count: more },
        { value: 'led', text: 'led', count: counts?.led },
        { value: 'overdue', text: 'overdue', count: counts?.overdue, tone: 'warn' },
        { value: 'submitted', text: 'submitted', count: counts?.submitted },
        { value: 'open', text: 'open again', count: counts?.open },
        { value: 'failed', text: 'failed', count: counts?.failed, tone: 'bad' },
        { value: 'completed', text: 'completed', count: counts?.completed },
      ]}
    />
  )
}
