import type { AlertJson } from '../../core/alerts/alert-wire.ts'
import { addressWith, asked } from '../lib/address.ts'
import { pathOf } from '../lib/ask.ts'
import type { FileColumn } from '../lib/csv.ts'
import { follow } from '../lib/follow.ts'
import type { Ground, Page } from '../lib/page.ts'
import { h } from '../lib/preact.js'
import { Badge } from '../parts/badge.tsx'
import { Empty, Waiting } from '../parts/empty.tsx'
import { type Expectations, expectationsOf } from '../parts/expectations.tsx'
import { Files } from '../parts/files.tsx'
import { type Field, Filters, Tabs } from '../parts/filters.tsx'
import { alertPath, Name, roundPath } from '../parts/name.tsx'
import { Panel } from '../parts/panel.tsx'
import { type Column, Table } from '../parts/table.tsx'
import { Time } from '../parts/time.tsx'

interface AlertList {
  readonly alerts: readonly AlertJson[]
  readonly next?: string
}

const FIELDS: readonly Field[] = [
  { name: 'q', label: 'Name', isSearch: true },
  { name: 'system', label: 'System' },
  {
    name: 'kind',
    label: 'Kind',
    choices: [
      ['', 'any'],
      ['missed', 'missed'],
      ['late', 'late'],
      ['unreported', 'unreported'],
      ['failed', 'failed'],
      ['few-candidates', 'few-candidates'],
      ['no-worker', 'no-worker'],
      ['stuck', 'stuck'],
      ['unresponsive', 'unresponsive'],
      ['crash-loop', 'crash-loop'],
    ],
  },
]

/** What is wrong and was, and what is expected. */
export function alertsPage({ open }: Ground): Page {
  const list = follow<AlertList>(
    () =>
      pathOf('alerts', {
        state: asked('state'),
        system: asked('system'),
        limit: 200,
        cursor: asked('before'),
      }),
    ['alerts'],
  )
  const expected = follow<Expectations>(
    () => pathOf('expectations', { system: asked('system'), limit: 200 }),
    ['alerts'],
  )
  return {
    title: 'Alerts',
    view: () => {
      const rows = openFirst(narrowed(list.data?.alerts ?? []))
      return (
        <div>
          <div class="head">
            <h1>Alerts</h1>
            <div class="side">
              <Files name="alerts" columns={FILE} rows={rows} />
            </div>
          </div>
          <Filters fields={FIELDS} />
          <div class="line">
            <Tabs
              name="state"
              label="States"
              tabs={[
                { value: undefined, text: 'all' },
                {
                  value: 'open',
                  text: 'open',
                  count: open.data && `${open.data.alerts.length}${open.data.next === undefined ? '' : '+'}`,
                  tone: 'bad',
                },
                { value: 'resolved', text: 'resolved' },
              ]}
            />
          </div>
          <div class="panel">
            {list.data === undefined ? (
              <Waiting trouble={list.trouble} />
            ) : rows.length > 0 ? (
              <Table caption="Alerts" columns={COLUMNS} rows={rows} keyOf={({ id }) => id} />
            ) : (
              <Empty>{narrowing() ? 'No alert matches.' : 'Nothing is wrong, and nothing was.'}</Empty>
            )}
          </div>
          <p class="pager">
            {asked('before') !== undefined && (
              <a rel="first" href={addressWith({ before: undefined })}>
                Newest
              </a>
            )}
            <span class="quiet">{rows.length} shown</span>
            {list.data?.next !== undefined && (
              <a rel="next" href={addressWith({ before: list.data.next })}>
                Older
              </a>
            )}
          </p>
          <Panel title="Expected of systems that are elected from outside">{expectationsOf(expected)}</Panel>
        </div>
      )
    },
  }
}

function narrowing(): boolean {
  return ['q', 'system', 'kind', 'state'].some((name) => asked(name) !== undefined)
}

function narrowed(alerts: readonly AlertJson[]): readonly AlertJson[] {
  const [text, kind] = [asked('q')?.toLowerCase(), asked('kind')]
  return alerts.filter(
    (one) =>
      (kind === undefined || one.kind === kind) &&
      (text === undefined || `${one.system}/${one.name}`.toLowerCase().includes(text)),
  )
}

function openFirst(alerts: readonly AlertJson[]): readonly AlertJson[] {
  return [
    ...alerts.filter(({ state }) => state === 'open'),
    ...alerts.filter(({ state }) => state !== 'open'),
  ]
}

const COLUMNS: readonly Column<AlertJson>[] = [
  { title: 'State', cell: ({ state }) => <Badge state={state} /> },
  { title: 'Kind', cell: ({ kind }) => <Badge state={kind} /> },
  {
    title: 'Of',
    kind: 'main',
    cell: (alert) => <Name href={alertPath(alert)} text={`${alert.system}/${alert.name}`} />,
  },
  { title: 'Slots', kind: 'number', cell: ({ count }) => count },
  {
    title: 'Last slot',
    cell: ({ system, lastSlot, lastRound }) =>
      lastRound === undefined ? (
        <code>{lastSlot}</code>
      ) : (
        <a class="mono" href={roundPath({ system, round: lastRound })}>
          {lastSlot}
        </a>
      ),
  },
  {
    title: 'What',
    kind: 'wide',
    cell: ({ detail, resolution }) => (resolution === undefined ? detail : `${detail} · ${resolution}`),
  },
  { title: 'Open since', cell: ({ openedAt }) => <Time at={openedAt} /> },
  {
    title: 'Resolved',
    kind: 'minor',
    cell: ({ resolvedAt }) => (resolvedAt === undefined ? '–' : <Time at={resolvedAt} />),
  },
]

const FILE: readonly FileColumn<AlertJson>[] = [
  { title: 'id', of: ({ id }) => id },
  { title: 'state', of: ({ state }) => state },
  { title: 'kind', of: ({ kind }) => kind },
  { title: 'system', of: ({ system }) => system },
  { title: 'name', of: ({ name }) => name },
  { title: 'slots', of: ({ count }) => count },
  { title: 'firstSlot', of: ({ firstSlot }) => firstSlot },
  { title: 'lastSlot', of: ({ lastSlot }) => lastSlot },
  { title: 'detail', of: ({ detail }) => detail },
  { title: 'openedAt', of: ({ openedAt }) => openedAt },
  { title: 'resolvedAt', of: ({ resolvedAt }) => resolvedAt },
]
