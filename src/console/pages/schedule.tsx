import type { RoundJson, RoundListJson } from '../../core/rounds/round-wire.ts'
import type { NextSlotsJson, ScheduleJson, SlotJson } from '../../core/schedules/schedule-wire.ts'
import { pathOf } from '../lib/ask.ts'
import { zone } from '../lib/choices.ts'
import { follow, type Source } from '../lib/follow.ts'
import type { Ground, Page } from '../lib/page.ts'
import { h, type VNode } from '../lib/preact.js'
import { coming, duration } from '../lib/times.ts'
import { BackfillForm } from '../parts/backfill.tsx'
import { Badge } from '../parts/badge.tsx'
import { Empty, Waiting } from '../parts/empty.tsx'
import { expectationPath } from '../parts/expectations.tsx'
import { Facts } from '../parts/facts.tsx'
import { Json } from '../parts/json.tsx'
import { Name, Named, roundPath, workerPath } from '../parts/name.tsx'
import { Panel } from '../parts/panel.tsx'
import { ended, roundKeyOf, took } from '../parts/round-rows.ts'
import { apiPath, scheduleButtons } from '../parts/schedule-buttons.tsx'
import { Strip, slotsOf, wentOf } from '../parts/strip.tsx'
import { type Column, Table } from '../parts/table.tsx'
import { Time } from '../parts/time.tsx'
import { When } from '../parts/when.tsx'

/** One schedule: what comes, how it went, and what can be done. */
export function schedulePage({ me }: Ground, system: string, name: string): Page {
  const found = follow<ScheduleJson>(apiPath({ system, name }), ['schedules'])
  const next = follow<NextSlotsJson>(`${apiPath({ system, name })}/next?n=5`, ['schedules'])
  const rounds = follow<RoundListJson>(pathOf('rounds', { system, q: `${name}@`, limit: 30 }), [
    'rounds',
    'schedules',
  ])
  return {
    title: `${system}/${name}`,
    view: () => (
      <div>
        <p class="crumbs">
          <a href="/schedules">Schedules</a> / <a href={pathOf('/schedules', { system })}>{system}</a>
        </p>
        <div class="head">
          <Named text={name} what="the name" />
          {found.data && <Badge state={found.data.paused ? 'paused' : found.data.next ? 'active' : 'over'} />}
          <div class="side">
            {found.data && scheduleButtons(found.data, me.data?.may.submit ?? false, 'all')}
          </div>
        </div>
        {found.data ? (
          bodyOf(found.data, next, own(rounds.data, name), me.data?.may.submit ?? false)
        ) : found.trouble?.status === 404 ? (
          <div class="panel">
            <Empty>
              There is no such schedule. <a href="/schedules">All of them</a> · Is it{' '}
              <a href={expectationPath({ system, name })}>an expectation</a>?
            </Empty>
          </div>
        ) : (
          <Waiting trouble={found.trouble} />
        )}
      </div>
    ),
  }
}

/** Others may have the name in theirs. */
function own(list: RoundListJson | undefined, name: string): readonly RoundJson[] {
  return (list?.rounds ?? []).filter(({ round }) => round.startsWith(`${name}@`))
}

function bodyOf(
  one: ScheduleJson,
  next: Source<NextSlotsJson>,
  rounds: readonly RoundJson[],
  may: boolean,
): VNode {
  return (
    <div class="grid">
      <div class="stack">
        <Panel title="What comes">
          {next.data === undefined ? (
            <Waiting trouble={next.trouble} />
          ) : next.data.slots.length === 0 ? (
            <Empty>Nothing comes any more.</Empty>
          ) : (
            <Table
              caption="The next slots"
              columns={slotColumns(one.tz)}
              rows={next.data.slots}
              keyOf={({ slot }) => slot}
            />
          )}
        </Panel>
        <Panel
          title="Its last rounds"
          more={
            <Strip
              rounds={wentOf(slotsOf(rounds).get(`${one.system}/${one.name}`), one.leftOut)}
              what="slots"
            />
          }
        >
          {rounds.length === 0 ? (
            <Empty>None yet.</Empty>
          ) : (
            <Table caption="Its last rounds" columns={ROUNDS} rows={rounds.slice(0, 10)} keyOf={roundKeyOf} />
          )}
        </Panel>
      </div>
      <div class="stack">
        <Panel title="What it is">
          <Facts rows={factsOf(one)} />
        </Panel>
        <Panel title="Its data">
          <Json value={one.job.data} what="the data" />
        </Panel>
        {may && (
          <Panel title="Run what was missed">
            <BackfillForm system={one.system} name={one.name} />
          </Panel>
        )}
      </div>
    </div>
  )
}

function slotColumns(tz: string): readonly Column<SlotJson>[] {
  return [
    { title: 'Slot', kind: 'main', cell: ({ slot }) => <code>{slot}</code> },
    { title: tz, cell: ({ at }) => coming(Date.parse(at), tz) },
    ...(zone() === tz ? [] : [{ title: zone(), cell: ({ at }: SlotJson) => coming(Date.parse(at), zone()) }]),
    { title: 'In', cell: ({ at }) => <Time at={at} isShort /> },
  ]
}

const ROUNDS: readonly Column<RoundJson>[] = [
  { title: 'State', cell: ({ state }) => <Badge state={state} /> },
  { title: 'Round', kind: 'main', cell: (round) => <Name href={roundPath(round)} text={round.round} /> },
  { title: 'For', kind: 'number lasting', cell: took },
  { title: 'Ended', kind: 'wide', cell: (round) => <span class="quiet">{ended(round)}</span> },
]

function factsOf(one: ScheduleJson): [string, VNode | string | number | undefined][] {
  const { job, counts, last, tz, overlap, catchUp, jitter, held, expect, startAt, endAt } = one
  return [
    ['When', <When of={one} />],
    ['Zone', tz],
    ['Worker', <a href={workerPath(job.worker)}>{job.worker}</a>],
    ['Attempts', job.attempts],
    ['Overlap', overlap],
    ['Catch up', `the last ${catchUp.window}, at most ${catchUp.max}`],
    ['Jitter', jitter],
    ['From', startAt && <Time at={startAt} />],
    ['Until', endAt && <Time at={endAt} />],
    ['Last slot', last ? <code>{last.slot}</code> : 'none yet'],
    ['Late by', last ? duration(last.latenessMs) : undefined],
    ['Slots', `${counts.submitted} submitted, ${counts.skipped} skipped, ${counts.missed} missed`],
    ['Held', held > 0 ? held : undefined],
    ['Expected', expect && `within ${expect.grace}`],
    ['Changed', <Time at={one.updatedAt} />],
  ]
}
