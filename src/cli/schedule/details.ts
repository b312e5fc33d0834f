import { visible } from '../../core/printable.ts'
import type { RoundJson } from '../../core/rounds/round-wire.ts'
import type { ScheduleJson } from '../../core/schedules/schedule-wire.ts'
import { endOf } from '../rounds/round-commands.ts'
import type { Colors } from '../terminal.ts'
import { unusualMembers } from '../text/members.ts'
import { detailsOf } from '../text/table.ts'
import { bothTimes } from '../text/times.ts'
import { jobText, nextText, whenText } from '../text/words.ts'
import { titleOf } from './plan.ts'

/** Said in lines of their own. */
const SAID = ['cron', 'every', 'at', 'tz', 'job.worker', 'job.data']

/** A schedule for people: a line for each thing that is not as usual. @param lastRound what became of its last run */
export function detailsText(schedule: ScheduleJson, colors: Colors, lastRound?: RoundJson): string {
  const { system, last, held, createdAt, updatedAt } = schedule
  const terms = unusualMembers(schedule, system)
    .filter(([member]) => !SAID.includes(member))
    .map(([member, value]): [string, string] => [
      member,
      visible(typeof value === 'string' ? value : JSON.stringify(value)),
    ])
  const rows: [string, string][] = [
    ['when', whenText(schedule)],
    ['job', jobText(schedule)],
    ...terms,
    ['next', nextOf(schedule, colors)],
    ['last', last === null ? 'none yet' : lastText(last)],
    ...(lastRound === undefined ? [] : [['', visible(endOf(lastRound))] as [string, string]]),
    ['slots', countsText(schedule)],
    ...(held === 0 ? [] : [['held', `${held} waiting for the round before to end`] as [string, string]]),
    ['made', `${createdAt}${updatedAt === createdAt ? '' : `, changed ${updatedAt}`}`],
  ]
  return detailsOf(titleOf(schedule), rows, colors)
}

function nextOf(schedule: ScheduleJson, colors: Colors): string {
  const { next, now, paused } = schedule
  const inMs = next === null ? 0 : Date.parse(next.at) - Date.parse(now)
  if (paused || next === null || inMs <= 0) return nextText(schedule, colors)
  return `${bothTimes(next)}, in ${spanText(inMs)}`
}

function lastText({ round, latenessMs }: NonNullable<ScheduleJson['last']>): string {
  return `${round}, submitted ${(latenessMs / 1_000).toFixed(1)} s after its time`
}

function countsText({ counts: { submitted, skipped, missed } }: ScheduleJson): string {
  return `${submitted} submitted, ${skipped} skipped (overlap), ${missed} missed (catchUp)`
}

/** The two largest units of a span, such as `13 h 40 min`. */
export function spanText(ms: number): string {
  const units = [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['min', 60_000],
    ['s', 1_000],
  ] as const
  const index = units.findIndex(([, unit]) => ms >= unit)
  const [first, second] = index < 0 ? [] : units.slice(index, index + 2)
  if (first === undefined) return '0 s'
  const rest = second && Math.floor((ms % first[1]) / second[1])
  return `${Math.floor(ms / first[1])} ${first[0]}${rest ? ` ${rest} ${second[0]}` : ''}`
}
