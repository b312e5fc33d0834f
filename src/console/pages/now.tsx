import type { AlertJson } from '../../core/alerts/alert-wire.ts'
import type { TopologyJson } from '../../core/fleet/fleet-wire.ts'
import type { RoundJson, SpreadJson, TallyJson } from '../../core/rounds/round-wire.ts'
import { follow, type Source } from '../lib/follow.ts'
import type { Ground, Page } from '../lib/page.ts'
import { h, type VNode } from '../lib/preact.js'
import { duration } from '../lib/times.ts'
import { Badge } from '../parts/badge.tsx'
import { Empty, serverUrl, Waiting } from '../parts/empty.tsx'
import { Facts } from '../parts/facts.tsx'
import { Leader } from '../parts/leader.tsx'
import { alertPath, Name, roundPath } from '../parts/name.tsx'
import { Figure, Panel } from '../parts/panel.tsx'
import { ended, roundKeyOf, took } from '../parts/round-rows.ts'
import { Spark } from '../parts/spark.tsx'
import { type Column, Table } from '../parts/table.tsx'
import { Time } from '../parts/time.tsx'
import { nowWorkers } from './now-workers.tsx'

const SHOWN = 10

/** What is wrong, what runs, who works. */
export function nowPage({ open }: Ground): Page {
  const workers = nowWorkers()
  const { fleet } = workers
  const tally = follow<TallyJson>('rounds/tally', ['rounds'])
  return {
    title: 'Now',
    view: () => (
      <div>
        <div class="head">
          <h1>Now</h1>
        </div>
        <div class="figures">
          <Figure
            href="/alerts?state=open"
            count={open.data?.alerts.length ?? '…'}
            what="open alerts"
            note={since(open)}
            tone={open.data?.alerts.length ? 'bad' : ''}
          />
          <Figure
            href="/rounds?state=overdue"
            count={countOf(tally, 'overdue')}
            what="overdue rounds"
            tone={tally.data?.counts.overdue ? 'warn' : ''}
          />
          <Figure
            href="/rounds?state=led"
            count={countOf(tally, 'led')}
            what="led now"
            note={`${countOf(tally, 'submitted')} submitted and waiting`}
          />
          <Figure
            href="/fleet"
            count={fleet.data?.states.registered ?? (fleet.data ? 0 : '…')}
            of={fleet.data?.instances}
            what="instances registered"
            note={troubled(fleet.data)}
          />
        </div>
        <div class="halves">
          <Panel title="Rounds a minute" more={<a href="/rounds">{saidOf(tally.data)}</a>}>
            {sparksOf(tally.data)}
          </Panel>
          <Panel title="How long it takes">{spreadsOf(tally.data)}</Panel>
        </div>
        <div class="grid">
          <Panel title="Open alerts" more={<a href="/alerts">all</a>}>
            {alertsOf(open)}
          </Panel>
          <Panel
            title="Workers"
            more={
              <span class="quiet">
                the last hour, p99 · <a href="/fleet">fleet</a>
              </span>
            }
          >
            {workers.view()}
          </Panel>
          <Panel title="Overdue, led and waiting" more={<a href="/rounds">all</a>}>
            {runningOf(tally)}
          </Panel>
          <Panel title="Last failures" more={<a href="/rounds?state=failed">all</a>}>
            {failuresOf(tally)}
          </Panel>
        </div>
      </div>
    ),
  }
}

function saidOf(tally: TallyJson | undefined): string {
  if (tally === undefined) return 'all'
  const failed = tally.minutes.reduce((sum, one) => sum + one.failed, 0)
  const came = tally.minutes.reduce((sum, one) => sum + one.came, 0)
  return `${came} · ${failed} failed`
}

function sparksOf(tally: TallyJson | undefined): VNode {
  if (tally === undefined) return <Waiting />
  const { minutes, hasMore } = tally
  const span = hasMore ? `the last ${minutes.length} min, as far as the newest 2,000 reach` : 'the last hour'
  const most = Math.max(0, ...minutes.map(({ came }) => came))
  return (
    <div class="body sparks">
      <Spark title="came" values={minutes.map(({ came }) => came)} said={`${span}, at most ${most} in one`} />
      <Spark
        title="failed"
        tone="bad"
        values={minutes.map(({ failed }) => failed)}
        said={failedOf(minutes)}
      />
    </div>
  )
}

function failedOf(minutes: TallyJson['minutes']): string {
  const most = Math.max(0, ...minutes.map(({ failed }) => failed))
  return most === 0 ? 'none' : `at most ${most} in one`
}

function spreadsOf(tally: TallyJson | undefined): VNode {
  if (tally === undefined) return <Waiting />
  if (tally.took === undefined && tally.waited === undefined) return <Empty>No round has ended yet.</Empty>
  return (
    <Facts
      rows={[
        ['From led to its end', spread(tally.took)],
        ['From submitted to started', spread(tally.waited)],
        ['Of', `the newest ${tally.looked.entries.toLocaleString('en')} rounds`],
      ]}
    />
  )
}

function spread(of: SpreadJson | undefined): string {
  return of === undefined
    ? 'none yet'
    : `half within ${duration(of.p50Ms)}, 99 of 100 within ${duration(of.p99Ms)}`
}

function countOf({ data }: Source<TallyJson>, state: keyof TallyJson['counts']): string {
  return data === undefined ? '…' : String(data.counts[state])
}

function since({ data }: Ground['open']): VNode | string {
  const oldest = data?.alerts.at(-1)
  return oldest ? (
    <span>
      oldest <Time at={oldest.openedAt} isShort />
    </span>
  ) : (
    'nothing is wrong'
  )
}

function troubled(topology: TopologyJson | undefined): string {
  const words = (
    ['unregistered', 'stopping', 'unresponsive', 'stopped', 'crash-looping', 'stuck', 'lost'] as const
  ).flatMap((state) => {
    const count = topology?.states[state as keyof TopologyJson['states']]
    return count ? [`${count} ${state}`] : []
  })
  return words.join(', ')
}

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

function alertsOf({ data }: Ground['open']): VNode {
  if (data === undefined) return <Waiting />
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

function runningOf({ data }: Source<TallyJson>): VNode {
  if (data === undefined) return <Waiting />
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

function failuresOf({ data }: Source<TallyJson>): VNode {
  if (data === undefined) return <Waiting />
  const { failed } = data.newest
  if (failed.length === 0) return <Empty>No round has failed{data.hasMore && ' of late'}.</Empty>
  return <Table caption="Last failures" columns={FAILURES} rows={failed} keyOf={roundKeyOf} />
}
