import type { ScheduleJson } from '../../core/schedules/schedule-wire.ts'
import { zone } from '../lib/choices.ts'
import type { FileColumn } from '../lib/csv.ts'
import { h, type VNode } from '../lib/preact.js'
import { coming, duration } from '../lib/times.ts'
import { Badge } from './badge.tsx'
import { Name, schedulePath } from './name.tsx'
import { Strip, type slotsOf, wentOf } from './strip.tsx'
import type { Column } from './table.tsx'
import { Time } from './time.tsx'
import { When } from './when.tsx'

/** A schedule as lists have it. */
export type Listed = Omit<ScheduleJson, 'now'>

export function keyOf({ system, name }: Listed): string {
  return `${system}/${name}`
}

export function isOver({ next, paused }: Listed): boolean {
  return next === null && !paused
}

export function columnsOf(
  stripOf: (one: Listed) => ReturnType<ReturnType<typeof slotsOf>['get']>,
  buttons: (one: Listed) => VNode | null,
): readonly Column<Listed>[] {
  return [
    { title: 'Schedule', kind: 'main', cell: (one) => <Name href={schedulePath(one)} text={keyOf(one)} /> },
    { title: 'When', cell: (one) => <When of={one} /> },
    { title: 'Last', cell: (one) => <Strip rounds={wentOf(stripOf(one), one.leftOut)} what="slots" /> },
    {
      title: 'Last run',
      cell: (one) =>
        one.paused ? (
          <Badge state="paused" />
        ) : isOver(one) ? (
          <Badge state="over" />
        ) : one.last?.state ? (
          <Badge state={one.last.state} />
        ) : one.last ? (
          <Time at={one.last.submittedAt} isShort />
        ) : (
          'none yet'
        ),
    },
    { title: 'Next run', cell: nextOf },
    { title: 'Late by', kind: 'number', cell: ({ last }) => (last ? duration(last.latenessMs) : '–') },
    { title: 'Worker', kind: 'minor', cell: ({ job }) => job.worker },
    { title: '', kind: 'do', cell: buttons },
  ]
}

/** In the schedule's own zone first. */
function nextOf({ next, tz }: Listed): VNode | string {
  if (next === null) return '–'
  const ms = Date.parse(next.at)
  return (
    <span>
      {coming(ms, tz)} <Time at={next.at} isShort />
      <br />
      <span class="ago">{tz === zone() ? tz : `${tz} · ${coming(ms, zone())} ${zone()}`}</span>
    </span>
  )
}

export const SCHEDULE_FILE: readonly FileColumn<Listed>[] = [
  { title: 'system', of: ({ system }) => system },
  { title: 'name', of: ({ name }) => name },
  { title: 'when', of: ({ cron, every, at }) => cron ?? every ?? at },
  { title: 'tz', of: ({ tz }) => tz },
  { title: 'worker', of: ({ job }) => job.worker },
  { title: 'paused', of: ({ paused }) => String(paused) },
  { title: 'next', of: ({ next }) => next?.at },
  { title: 'lastSlot', of: ({ last }) => last?.slot },
  { title: 'lastState', of: ({ last }) => last?.state },
  { title: 'latenessMs', of: ({ last }) => last?.latenessMs },
]
