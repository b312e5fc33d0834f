import type { TopologyJson } from '../../core/fleet/fleet-wire.ts'
import type { SpreadJson, TallyJson } from '../../core/rounds/round-wire.ts'
import { follow, type Source } from '../lib/follow.ts'
import type { Ground, Page } from '../lib/page.ts'
import { h, type VNode } from '../lib/preact.js'
import { duration } from '../lib/times.ts'
import { Empty, Waiting } from '../parts/empty.tsx'
import { Facts } from '../parts/facts.tsx'
import { Figure, Panel } from '../parts/panel.tsx'
import { Spark } from '../parts/spark.tsx'
import { Time } from '../parts/time.tsx'
import { alertsOf, failuresOf, runningOf } from './now-lists.tsx'
import { nowWorkers } from './now-workers.tsx'

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
            {sparksOf(tally)}
          </Panel>
          <Panel title="How long it takes">{spreadsOf(tally)}</Panel>
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

function sparksOf({ data: tally, trouble }: Source<TallyJson>): VNode {
  if (tally === undefined) return <Waiting trouble={trouble} />
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

function spreadsOf({ data: tally, trouble }: Source<TallyJson>): VNode {
  if (tally === undefined) return <Waiting trouble={trouble} />
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

/** Only of those that are overdue all are counted, however many there are. */
function countOf({ data }: Source<TallyJson>, state: keyof TallyJson['counts']): string {
  if (data === undefined) return '…'
  const isLeast = data.hasMore && state !== 'overdue'
  return `${isLeast ? '≥ ' : ''}${data.counts[state]}`
}

function since({ data }: Ground['open']): VNode | string {
  if (data === undefined) return 'not known yet'
  const oldest = data.alerts.at(-1)
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
