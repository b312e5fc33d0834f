import type { TopologyJson } from '../../core/fleet/fleet-wire.ts'
import type { SeriesJson } from '../../core/fleet/series-wire.ts'
import type { FleetCount } from '../../core/fleet/topology.ts'
import { pathOf } from '../lib/ask.ts'
import { serverNowMs } from '../lib/clock.ts'
import { follow, type Source } from '../lib/follow.ts'
import { h, type VNode } from '../lib/preact.js'
import { duration } from '../lib/times.ts'
import { Empty, Waiting } from '../parts/empty.tsx'
import { Name, workerPath } from '../parts/name.tsx'
import { type Column, Table } from '../parts/table.tsx'

/** Each has a question of its own. */
const SHOWN = 10
const [HOUR_MS, STEP_MS] = [3_600_000, 300_000]

interface WorkerRow extends FleetCount {
  /** Of the last hour; undefined as long as nobody has answered. */
  readonly hour: SeriesJson | undefined
}

/** Who works, and what was done for each worker in the last hour. */
export function nowWorkers() {
  let names: readonly string[] = []
  const fleet = follow<TopologyJson>('fleet', ['fleet'], {
    onData(data) {
      const found = data.workers.slice(0, SHOWN).map(({ name }) => name)
      const isNew = found.join(' ') !== names.join(' ')
      names = found
      if (isNew) for (const one of hours) void one.again()
    },
  })
  const hours = Array.from({ length: SHOWN }, (_, index) =>
    follow<SeriesJson>(() => hourPath(names[index]), []),
  )
  return { fleet, view: () => tableOf(fleet, hours) }
}

function hourPath(worker: string | undefined): string | undefined {
  if (worker === undefined) return undefined
  const fromMs = Math.floor((serverNowMs() - HOUR_MS) / STEP_MS) * STEP_MS
  return pathOf('fleet/series', { worker, from: new Date(fromMs).toISOString(), step: '5m' })
}

function tableOf({ data, trouble }: Source<TopologyJson>, hours: readonly Source<SeriesJson>[]): VNode {
  if (data === undefined) return <Waiting trouble={trouble} />
  if (data.workers.length === 0) return <Empty command="gone work">No worker is there. Start some:</Empty>
  const rows = data.workers.slice(0, SHOWN).map((one): WorkerRow => {
    // A worker that is new shifts those after it: until it is asked for again an answer may be another's.
    const hour = hours.find((of) => of.data?.worker === one.name)?.data
    return { ...one, hour }
  })
  return <Table caption="Workers" columns={WORKERS} rows={rows} keyOf={({ name }) => name} />
}

const WORKERS: readonly Column<WorkerRow>[] = [
  {
    title: 'Worker',
    kind: 'main',
    cell: ({ name }) => <Name href={workerPath(name)} text={name} />,
  },
  {
    title: 'Up',
    kind: 'number',
    cell: ({ states, instances }) => `${states.registered ?? 0} of ${instances}`,
  },
  { title: 'Runs', kind: 'number', cell: ({ running, slots }) => `${running} of ${slots}` },
  { title: 'Done', kind: 'number', cell: ({ hour }) => sumOf(hour, 'done') },
  { title: 'Failed', kind: 'number', cell: ({ hour }) => sumOf(hour, 'failed') },
  { title: 'Waited', kind: 'number', cell: ({ hour }) => longest(hour, 'waited') },
  { title: 'Ran', kind: 'number', cell: ({ hour }) => longest(hour, 'ran') },
]

function sumOf(hour: SeriesJson | undefined, what: 'done' | 'failed'): string {
  if (hour === undefined) return '…'
  return hour.points.reduce((sum, point) => sum + point[what], 0).toLocaleString('en')
}

/** Of the slowest five minutes: an hour's own would hide them. */
function longest(hour: SeriesJson | undefined, what: 'waited' | 'ran'): string {
  if (hour === undefined) return '…'
  const all = hour.points.flatMap((point) => point[what]?.p99Ms ?? [])
  return all.length === 0 ? '–' : duration(Math.max(...all))
}
