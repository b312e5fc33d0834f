import type { ScheduleJson } from '../../client/schedule-types.ts'
import type { Colors } from '../terminal.ts'
import { bothTimes } from './times.ts'

type Body = Readonly<Record<string, unknown>>

/** Such as `0 2 * * * in Europe/Berlin` or `every 15m`. */
export function whenText(schedule: object): string {
  const { tz } = schedule as Body
  return `${shortWhen(schedule)}${tz === undefined || tz === 'UTC' ? '' : ` in ${tz}`}`
}

/** Without the zone. */
export function shortWhen(schedule: object): string {
  const { cron, every, at } = schedule as Body
  if (cron !== undefined) return String(cron)
  return every === undefined ? `once at ${at}` : `every ${every}`
}

/** Such as `hello {"names":["Ada"]}`: the worker and what it is given. */
export function jobText({ job }: { readonly job?: unknown }, system: string): string {
  const { worker = system, data = null } = (job ?? {}) as Body
  return data === null ? String(worker) : `${worker} ${JSON.stringify(data)}`
}

/** Such as `next run 2026-11-23 02:00 +01 (01:00 UTC)`. */
export function nextText({ paused, next }: Pick<ScheduleJson, 'paused' | 'next'>, { yellow }: Colors): string {
  if (paused) return yellow('paused')
  return next === null ? yellow('no more runs') : `next run ${bothTimes(next)}`
}
