import type { FullScheduleBody, ScheduleJson } from '../../core/schedules/schedule-wire.ts'
import type { Colors } from '../terminal.ts'
import { bothTimes } from './times.ts'

interface When {
  readonly cron?: string
  readonly every?: string
  readonly at?: string
}

/** Such as `0 2 * * * in Europe/Berlin` or `every 15m`. */
export function whenText({ tz, ...when }: When & { readonly tz: string }): string {
  return `${shortWhen(when)}${tz === 'UTC' ? '' : ` in ${tz}`}`
}

/** Without the zone. */
export function shortWhen({ cron, every, at }: When): string {
  return cron ?? (every === undefined ? `once at ${at}` : `every ${every}`)
}

/** Such as `hello {"names":["Ada"]}`: the worker and what it is given, of which `max` characters are shown. */
export function jobText({ job: { worker, data } }: FullScheduleBody, max = Number.POSITIVE_INFINITY): string {
  if (data === null) return worker
  const text = JSON.stringify(data)
  return `${worker} ${text.length > max ? `${text.slice(0, max).toWellFormed()}…` : text}`
}

/** Such as `next run 2026-11-23 02:00 +01 (01:00 UTC)`. */
export function nextText({ paused, next, now }: ScheduleJson, { yellow }: Colors): string {
  if (paused) return yellow('paused')
  if (next === null) return yellow('no more runs')
  const isDue = Date.parse(next.at) <= Date.parse(now)
  return `${isDue ? 'due since' : 'next run'} ${bothTimes(next)}`
}
