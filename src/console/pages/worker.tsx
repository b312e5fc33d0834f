import type { InstanceJson } from '../../core/fleet/fleet-wire.ts'
import type { PercentilesJson, SeriesJson, SeriesPointJson } from '../../core/fleet/series-wire.ts'
import { asked } from '../lib/address.ts'
import { pathOf } from '../lib/ask.ts'
import { serverNowMs } from '../lib/clock.ts'
import { follow, type Source } from '../lib/follow.ts'
import type { Ground, Page } from '../lib/page.ts'
import { h, type VNode } from '../lib/preact.js'
import { duration } from '../lib/times.ts'
import { Empty, Waiting } from '../parts/empty.tsx'
import { Tabs } from '../parts/filters.tsx'
import { Axis, Graph, type GraphPoint, type Span } from '../parts/graph.tsx'
import { INSTANCE_COLUMNS } from '../parts/instances.tsx'
import { Named } from '../parts/name.tsx'
import { orderMenu } from '../parts/orders.tsx'
import { Panel } from '../parts/panel.tsx'
import { type Column, Table } from '../parts/table.tsx'
import { Time } from '../parts/time.tsx'

const HOUR_MS = 3_600_000
const SPANS: Readonly<Record<string, number>> = { '1h': HOUR_MS, '24h': 24 * HOUR_MS, '30d': 720 * HOUR_MS }

/** One worker, whoever runs it: what was done for it in the course of time, and by which instances. */
export function workerPage({ me }: Ground, worker: string): Page {
  const series = follow<SeriesJson>(() => {
    const spanMs = SPANS[asked('span') ?? '1h'] ?? HOUR_MS
    // To the minute, so that the same question is one.
    const from = new Date(Math.floor((serverNowMs() - spanMs) / 60_000) * 60_000).toISOString()
    return pathOf('fleet/series', { worker, from })
  }, ['fleet'])
  const list = follow<{ readonly instances: readonly InstanceJson[] }>(
    pathOf('fleet/instances', { worker, limit: 100 }),
    ['fleet'],
  )
  return {
    title: worker,
    view: () => (
      <div>
        <p class="crumbs">
          <a href="/fleet">Fleet</a> / workers
        </p>
        <div class="head">
          <Named text={worker} what="the name" />
          <span class="quiet">
            <a href={pathOf('/rounds', { worker })}>its rounds</a> ·{' '}
            <a href={`/board/queue/${encodeURIComponent(worker)}`}>its queue</a>
          </span>
          <div class="side">{me.data?.may.operate && orderMenu({ worker })}</div>
        </div>
        <Tabs
          name="span"
          label="Time"
          tabs={[
            { value: undefined, text: 'the last hour' },
            { value: '24h', text: '24 hours' },
            { value: '30d', text: '30 days' },
          ]}
        />
        <div class="stack">
          <Panel
            title="In the course of time"
            more={<span class="quiet">of two lines the upper one is p99</span>}
          >
            {seriesOf(series)}
          </Panel>
          <Panel title="Instances">{instancesOf(list)}</Panel>
        </div>
      </div>
    ),
  }
}

function seriesOf({ data, trouble }: Source<SeriesJson>): VNode {
  if (data === undefined) return <Waiting trouble={trouble} />
  const { points, marks } = data
  if (points.length === 0) return <Empty>No instance has told anything in that time.</Empty>
  const [fromMs, toMs] = [Date.parse(data.from), Date.parse(data.to)]
  const times = points.map(({ at }) => Date.parse(at))
  const gaps = times.slice(1).map((ms, index) => ms - (times[index] ?? 0))
  const span: Span = { fromMs, toMs, stepMs: Math.min(...gaps, HOUR_MS), marks }
  const line = (of: (point: SeriesPointJson) => number | undefined): readonly GraphPoint[] =>
    points.map((point) => ({ atMs: Date.parse(point.at), value: of(point) }))
  const long = (what: 'waited' | 'ran') => [line((one) => one[what]?.p99Ms), line((one) => one[what]?.p50Ms)]
  return (
    <div class="body">
      <div class="graphs">
        <Graph title="Done" lines={[line(({ done }) => done)]} span={span} said={sumOf(points, 'done')} />
        <Graph
          title="Failed"
          tone="bad"
          lines={[line(({ failed }) => failed)]}
          span={span}
          said={sumOf(points, 'failed')}
        />
        <Graph title="Waited" lines={long('waited')} span={span} said={longest(points, 'waited')} />
        <Graph title="Ran" lines={long('ran')} span={span} said={longest(points, 'ran')} />
        <Graph
          title="Instances"
          lines={[line(({ instances }) => instances)]}
          span={span}
          said={`now ${points.at(-1)?.instances}`}
        />
        <Graph
          title="Processor, % of a core"
          lines={[line(({ cpuPercent }) => cpuPercent)]}
          span={span}
          said={`now ${points.at(-1)?.cpuPercent} %`}
        />
      </div>
      <Axis span={span} />
      <details>
        <summary>As a table</summary>
        <Table
          caption="In the course of time"
          columns={POINTS}
          rows={points.toReversed()}
          keyOf={({ at }) => at}
        />
      </details>
    </div>
  )
}

function sumOf(points: readonly SeriesPointJson[], what: 'done' | 'failed'): string {
  return points.reduce((sum, point) => sum + point[what], 0).toLocaleString('en')
}

function longest(points: readonly SeriesPointJson[], what: 'waited' | 'ran'): string {
  const last = points.findLast((point) => point[what] !== undefined)?.[what]
  return last === undefined ? 'nothing in that time' : spread(last)
}

function spread({ p50Ms, p99Ms }: PercentilesJson): string {
  return `p50 ${duration(p50Ms)}, p99 ${duration(p99Ms)}`
}

const POINTS: readonly Column<SeriesPointJson>[] = [
  { title: 'From', kind: 'main', cell: ({ at }) => <Time at={at} /> },
  { title: 'Done', kind: 'number', cell: ({ done }) => done },
  { title: 'Failed', kind: 'number', cell: ({ failed }) => failed },
  { title: 'Waited', cell: ({ waited }) => (waited ? spread(waited) : '–') },
  { title: 'Ran', cell: ({ ran }) => (ran ? spread(ran) : '–') },
  { title: 'Instances', kind: 'number', cell: ({ instances }) => instances },
]

function instancesOf({ data, trouble }: Source<{ readonly instances: readonly InstanceJson[] }>): VNode {
  if (data === undefined) return <Waiting trouble={trouble} />
  if (data.instances.length === 0) return <Empty command="gone work">No instance runs it. Start one:</Empty>
  return <Table caption="Instances" columns={INSTANCE_COLUMNS} rows={data.instances} keyOf={({ id }) => id} />
}
