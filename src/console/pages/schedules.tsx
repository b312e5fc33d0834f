import type { RoundListJson } from '../../core/rounds/round-wire.ts'
import type { ScheduleListJson } from '../../core/schedules/schedule-wire.ts'
import { addressWith, asked } from '../lib/address.ts'
import { ask, pathOf } from '../lib/ask.ts'
import { draw } from '../lib/draw.ts'
import { follow } from '../lib/follow.ts'
import type { Ground, Page } from '../lib/page.ts'
import { h, type VNode } from '../lib/preact.js'
import { Empty, Waiting } from '../parts/empty.tsx'
import { Files } from '../parts/files.tsx'
import { type Field, Filters, Tabs } from '../parts/filters.tsx'
import { scheduleButtons } from '../parts/schedule-buttons.tsx'
import { columnsOf, isOver, keyOf, type Listed, SCHEDULE_FILE } from '../parts/schedule-rows.tsx'
import { slotsOf } from '../parts/strip.tsx'
import { Table } from '../parts/table.tsx'

/** As many are asked for together; beyond, whoever looks narrows by system. */
const PAGE_SIZE = 1_000
/** The strips are made of the newest rounds of so many systems. */
const MAX_SYSTEMS = 10
const MAX_ROUNDS = 500

const FIELDS: readonly Field[] = [
  { name: 'q', label: 'Name', isSearch: true },
  { name: 'system', label: 'System' },
  { name: 'worker', label: 'Worker' },
  {
    name: 'order',
    label: 'Order',
    choices: [
      ['', 'next run'],
      ['name', 'name'],
    ],
  },
]

/** What makes rounds come by themselves: when, and how it went. */
export function schedulesPage({ me }: Ground): Page {
  const strips = new Map<string, ReturnType<typeof slotsOf>>()
  let isLooking = false
  const list = follow<ScheduleListJson>(
    () => pathOf('schedules', { system: asked('system'), limit: PAGE_SIZE }),
    ['schedules'],
    {
      onData: (data) => {
        if (!isLooking) void show(data)
      },
    },
  )

  /** How the last slots went; one look at a time, the next answer has it done anew. */
  async function show({ schedules }: ScheduleListJson): Promise<void> {
    isLooking = true
    const systems = [...new Set(narrowed(schedules).map(({ system }) => system))].slice(0, MAX_SYSTEMS)
    await Promise.all(
      systems.map(async (system) => {
        const found = await ask<RoundListJson>(pathOf('rounds', { system, limit: MAX_ROUNDS })).catch(
          () => undefined,
        )
        if (found) strips.set(system, slotsOf(found.rounds))
      }),
    )
    isLooking = false
    draw()
  }

  const stripOf = ({ system, name }: Listed) => strips.get(system)?.get(`${system}/${name}`)
  const columns = columnsOf(stripOf, (one) => scheduleButtons(one, me.data?.may.submit ?? false, 'few'))

  return {
    title: 'Schedules',
    view: () => {
      const all = narrowed(list.data?.schedules ?? [])
      const rows = sorted(all.filter((one) => inState(one)))
      return (
        <div>
          <div class="head">
            <h1>Schedules</h1>
            <div class="side">
              {me.data?.may.submit && (
                <a class="button main" href="/schedules/new">
                  New schedule
                </a>
              )}
              <Files name="schedules" columns={SCHEDULE_FILE} rows={rows} />
            </div>
          </div>
          <Filters fields={FIELDS} />
          <div class="line">
            <Tabs
              name="state"
              label="States"
              tabs={[
                { value: undefined, text: 'all', count: all.length },
                { value: 'failing', text: 'failing', count: all.filter(isFailing).length, tone: 'bad' },
                { value: 'paused', text: 'paused', count: all.filter(({ paused }) => paused).length },
                { value: 'over', text: 'over', count: all.filter(isOver).length },
              ]}
            />
          </div>
          <div class="panel">
            {list.data === undefined ? (
              <Waiting trouble={list.trouble} />
            ) : rows.length > 0 ? (
              <Table caption="Schedules" columns={columns} rows={rows} keyOf={keyOf} />
            ) : (
              nothing()
            )}
          </div>
          {list.data?.next !== undefined && (
            <p class="pager quiet">
              These are the first {PAGE_SIZE.toLocaleString('en')} by system and name. Narrow by system to see
              others.
            </p>
          )}
        </div>
      )
    },
  }
}

function narrowed(schedules: readonly Listed[]): readonly Listed[] {
  const [text, worker] = [asked('q')?.toLowerCase(), asked('worker')]
  return schedules.filter(
    (one) =>
      (text === undefined || keyOf(one).toLowerCase().includes(text)) &&
      (worker === undefined || one.job.worker === worker),
  )
}

function isFailing({ last }: Listed): boolean {
  return last?.state === 'failed'
}

function inState(one: Listed): boolean {
  switch (asked('state')) {
    case 'failing':
      return isFailing(one)
    case 'paused':
      return one.paused
    case 'over':
      return isOver(one)
    default:
      return true
  }
}

function sorted(schedules: readonly Listed[]): readonly Listed[] {
  if (asked('order') === 'name') return schedules
  const due = ({ next }: Listed) => (next === null ? Number.POSITIVE_INFINITY : Date.parse(next.at))
  return schedules.toSorted((a, b) => due(a) - due(b) || (keyOf(a) < keyOf(b) ? -1 : 1))
}

function nothing(): VNode {
  const isFiltered = ['q', 'system', 'worker', 'state'].some((name) => asked(name) !== undefined)
  if (isFiltered)
    return (
      <Empty>
        No schedule matches.{' '}
        <a href={addressWith({ q: undefined, system: undefined, worker: undefined, state: undefined })}>
          Clear all
        </a>
      </Empty>
    )
  return (
    <Empty command={'gone schedule set cleaner nightly --cron "0 2 * * *" --worker hello'}>
      Nothing comes by itself yet. Make a schedule:
    </Empty>
  )
}
