import type { InstanceJson, JobInHandJson } from '../../core/fleet/fleet-wire.ts'
import { pathOf } from '../lib/ask.ts'
import { serverNowMs } from '../lib/clock.ts'
import { follow } from '../lib/follow.ts'
import type { Ground, Page } from '../lib/page.ts'
import { h, type VNode } from '../lib/preact.js'
import { duration } from '../lib/times.ts'
import { Badge } from '../parts/badge.tsx'
import { DeathPanel } from '../parts/death.tsx'
import { Empty, Waiting } from '../parts/empty.tsx'
import { Facts } from '../parts/facts.tsx'
import { followInstanceLog, type InstanceLog, LogPanel } from '../parts/instance-log.tsx'
import { Name, Named, poolPath, roundPath, workerPath } from '../parts/name.tsx'
import { orderMenu } from '../parts/orders.tsx'
import { Panel } from '../parts/panel.tsx'
import { roundKeyOf } from '../parts/round-rows.ts'
import { Spark } from '../parts/spark.tsx'
import { type Column, Table } from '../parts/table.tsx'
import { Time } from '../parts/time.tsx'

/** As long as the page is open, at most ten minutes of looks. */
const MAX_POINTS = 60
/** A little less than the page looks by itself, which it does more often where rounds change. */
const POINT_EVERY_MS = 8_000

/** One process that runs workers. */
export function instancePage({ me }: Ground, id: string): Page {
  const points: InstanceJson[] = []
  let pointAtMs = 0
  const found = follow<{ readonly instance: InstanceJson; readonly now: string }>(
    `fleet/instances/${encodeURIComponent(id)}`,
    ['fleet', 'rounds'],
    {
      onData: ({ instance, now }) => {
        const atMs = Date.parse(now)
        if (atMs - pointAtMs < POINT_EVERY_MS) return
        pointAtMs = atMs
        points.push(instance)
        points.splice(0, points.length - MAX_POINTS)
      },
    },
  )
  const log = followInstanceLog(id, () => found.data?.instance.place !== undefined)
  return {
    title: id,
    view: () => (
      <div>
        <p class="crumbs">
          <a href="/fleet">Fleet</a>
        </p>
        <div class="head">
          <Named text={id} what="the id" />
          {found.data && <Badge state={found.data.instance.state} />}
          <div class="side">
            {found.data && !found.data.instance.endedAt && me.data?.may.operate && orderMenu({ id })}
          </div>
        </div>
        {found.data ? (
          bodyOf(found.data.instance, points, log)
        ) : found.trouble?.status === 404 ? (
          gone()
        ) : (
          <Waiting trouble={found.trouble} />
        )}
      </div>
    ),
  }
}

function gone(): VNode {
  return (
    <div class="panel">
      <Empty>
        There is no such instance, or it ended over an hour ago. <a href="/fleet">The fleet</a>
      </Empty>
    </div>
  )
}

function bodyOf(instance: InstanceJson, points: readonly InstanceJson[], log: InstanceLog): VNode {
  return (
    <div class="grid">
      <div class="stack">
        {instance.death && <DeathPanel death={instance.death} />}
        <Panel title="Its workers">
          <Table caption="Its workers" columns={WORKERS} rows={instance.workers} keyOf={({ name }) => name} />
        </Panel>
        <Panel title="Jobs it runs">{runsOf(instance)}</Panel>
        <Panel title="Since this page was opened">
          <div class="body sparks">
            <Spark
              title="Processor, % of a core"
              values={points.map(({ cpuPercent }) => cpuPercent ?? 0)}
              unit="%"
            />
            <Spark
              title="Memory, MB"
              values={points.map(({ rssBytes }) => Math.round((rssBytes ?? 0) / 1_048_576))}
              unit="MB"
            />
            <Spark
              title="Event loop kept waiting, ms"
              values={points.map(({ loopDelayMs }) => loopDelayMs ?? 0)}
              unit="ms"
            />
          </div>
        </Panel>
        <LogPanel log={log} isRead={instance.place !== undefined} />
      </div>
      <Panel title="Facts">
        <Facts rows={factsOf(instance)} />
      </Panel>
    </div>
  )
}

const RUNS: readonly Column<JobInHandJson>[] = [
  {
    title: 'Round',
    kind: 'main',
    cell: (job) => <Name href={roundPath(job)} text={roundKeyOf(job)} />,
  },
  { title: 'Worker', cell: ({ worker }) => worker },
  {
    title: 'For',
    kind: 'number lasting',
    cell: ({ since }) => duration(Math.max(0, serverNowMs() - Date.parse(since))),
  },
]

/** Each with its log on its own page. Which jobs were taken by HTTP the queue does not know. */
function runsOf({ workers, jobs = [], pid }: InstanceJson): VNode {
  if (jobs.length > 0) return <Table caption="Jobs it runs" columns={RUNS} rows={jobs} keyOf={roundKeyOf} />
  const running = workers.reduce((sum, worker) => sum + worker.running, 0)
  if (running === 0) return <Empty>None now.</Empty>
  return (
    <Empty>
      {running} now. They are among the{' '}
      <a href={pathOf('/rounds', { state: 'led', leader: `:${pid}` })}>rounds led by process {pid}</a>.
    </Empty>
  )
}

const WORKERS: readonly Column<InstanceJson['workers'][number]>[] = [
  {
    title: 'Worker',
    kind: 'main',
    cell: ({ name }) => <Name href={workerPath(name)} text={name} />,
  },
  { title: 'Runs', kind: 'number', cell: ({ running, slots }) => `${running} of ${slots}` },
  { title: 'Done', kind: 'number', cell: ({ done }) => done },
  { title: 'Failed', kind: 'number', cell: ({ failed }) => failed },
  {
    title: 'Last job',
    cell: ({ lastTaken }) => (lastTaken === undefined ? 'none yet' : <Time at={lastTaken} />),
  },
]

/** That of a pool leads to it. */
function placeOf({ place }: InstanceJson): VNode | string | undefined {
  const pool = /^(.+)\/\d+$/.exec(place ?? '')?.[1]
  return pool === undefined ? place : <a href={poolPath(pool)}>{place}</a>
}

function factsOf(instance: InstanceJson): [string, VNode | string | number | undefined][] {
  const { region, host, pid, release, version, startedAt, endedAt, stuckSince, pressure } = instance
  return [
    ['Region', <a href={pathOf('/fleet', { region })}>{region}</a>],
    ['Host', <a href={pathOf('/fleet', { host })}>{host}</a>],
    ['Process', pid],
    ['Place', placeOf(instance)],
    ['Release', <a href={pathOf('/fleet', { release })}>{release}</a>],
    ['gone', version],
    ['Started', <Time at={startedAt} />],
    ['Up', endedAt ? undefined : duration(serverNowMs() - Date.parse(startedAt))],
    ['Takes no jobs', pressure && `under pressure (${pressure})`],
    ['Stuck since', stuckSince && <Time at={stuckSince} />],
    ['Ended', endedAt && <Time at={endedAt} />],
  ]
}
