import type { AlertJson } from '../../core/alerts/alert-wire.ts'
import type { RoundJson, TallyJson } from '../../core/rounds/round-wire.ts'
import type { Source } from '../lib/follow.ts'
import type { Ground } from '../lib/page.ts'
import { h, type VNode } from '../lib/preact.js'
import { Badge } from '../parts/badge.tsx'
import { Empty, serverUrl, Waiting } from '../parts/empty.tsx'
import { Leader } from '../parts/leader.tsx'
import { alertPath, Name, roundPath } from '../parts/name.tsx'
import { ended, roundKeyOf, took } from '../parts/round-rows.ts'
import { type Column, Table } from '../parts/table.tsx'
import { Time } from '../parts/time.tsx'

const SHOWN = 10

const ALERTS: readonly Column<AlertJson>[] = [
  { title: 'Kind', cell: ({ kind }) => <Badge state={kind} /> },
  {
    title: 'Of',
    kind: 'main',
    cell: (alert) => <Name href={alertPath(alert)} text={`${alert.system}/${alert.name}`} />,
  },
  { title: 'Slots', kind: 'number', cell: ({ count }) => count },
  { title: 'What', kind: 'wide', cell: ({ detail }) => detail },
  { title: 'Since', cell: ({ openedAt }) => <Time at={openedAt} /> },
]

export function alertsOf({ data, trouble }: Ground['open']): VNode {
  if (data === undefined) return <Waiting trouble={trouble} />
  if (data.alerts.length === 0) return <Empty>Nothing is wrong.</Empty>
  return (
    <Table caption="Open alerts" columns={ALERTS} rows={data.alerts.slice(0, SHOWN)} keyOf={({ id }) => id} />
  )
}

const RUNNING: readonly Column<RoundJson>[] = [
  { title: 'State', cell: ({ state }) => <Badge state={state} /> },
  {
    title: 'Round',
    kind: 'main',
    cell: (round) => <Name href={roundPath(round)} text={roundKeyOf(round)} />,
  },
  { title: 'Led by', cell: (round) => (round.leader ? <Leader round={round} /> : waitsFor(round)) },
  { title: 'For', kind: 'number lasting', cell: took },
]

function waitsFor({ job }: RoundJson): string {
  return `waits for ${job?.worker ?? 'a worker'}`
}

export function runningOf({ data, trouble }: Source<TallyJson>): VNode {
  if (data === undefined) return <Waiting trouble={trouble} />
  const { overdue, led, submitted } = data.newest
  const rows = [...overdue, ...led, ...submitted].slice(0, SHOWN)
  if (rows.length === 0)
    return (
      <Empty command={`curl -X POST ${serverUrl()}/api/v1/elect/cleaner/2026-11-26-0800`}>
        Nobody leads a round. Ask for one:
      </Empty>
    )
  return <Table caption="Overdue, led and waiting rounds" columns={RUNNING} rows={rows} keyOf={roundKeyOf} />
}

const FAILURES: readonly Column<RoundJson>[] = [
  {
    title: 'Round',
    kind: 'main',
    cell: (round) => <Name href={roundPath(round)} text={roundKeyOf(round)} />,
  },
  { title: 'Why', kind: 'wide', cell: ended },
  { title: 'When', cell: ({ completion }) => completion && <Time at={completion.at} isShort /> },
]

export function failuresOf({ data, trouble }: Source<TallyJson>): VNode {
  if (data === undefined) return <Waiting trouble={trouble} />
  const { failed } = data.newest
  if (failed.length === 0) return <Empty>No round has failed{data.hasMore && ' of late'}.</Empty>
  return <Table caption="Last failures" columns={FAILURES} rows={failed} keyOf={roundKeyOf} />
}
