import { Cron } from 'croner'
import { GoneError } from '../errors.ts'
import { parseDuration } from './duration.ts'

/** A timer that fires early, or a clock that runs behind, is forgiven so much. */
const EARLY_MS = 5_000

/**
 * The moment that was meant by who fires now, as a round's name: the latest slot at or before now. A slot that begins
 * within 5 s, or a quarter of the time between slots if that is shorter, counts as begun.
 *
 * @param every `15m`, `1h`, `1d`: what divides an hour or a day, counted from midnight; or a cron expression of 5 or 6 fields
 * @param zone such as `Europe/Berlin`
 * @param nowMs Unix time
 * @returns such as `2026-11-22T08:00:00+01:00`: where clocks are set back, the offset tells the two apart
 * @throws GoneError `INVALID_PARAMETER`
 */
export function slotAt(every: string, zone: string, nowMs: number): string {
  checkZone(zone)
  const cron = cronOf(every, zone)
  // Slots are whole seconds, and previousRuns looks before its reference, not at it.
  const endOfSecondMs = Math.floor(nowMs / 1_000) * 1_000 + 1_000
  const last = cron.previousRuns(1, new Date(endOfSecondMs))[0]?.getTime()
  const next = cron.nextRun(new Date(nowMs))?.getTime()
  if (last === undefined) throw invalid('round-every', 'an expression that has fired before now', every)
  if (next === undefined) return formatInstant(last, zone)
  const earlyMs = Math.min(EARLY_MS, (next - last) / 4)
  return formatInstant(next - nowMs <= earlyMs ? next : last, zone)
}

function cronOf(every: string, zone: string): Cron {
  const ms = parseDuration(every)
  const expression = ms === undefined ? every : expressionOf(ms)
  const rule = 'a part of an hour or a day like 15m, 1h or 1d, or a cron expression'
  if (expression === undefined) throw invalid('round-every', rule, every)
  try {
    return new Cron(expression, { timezone: zone, mode: '5-or-6-parts' })
  } catch (cause) {
    const detail = String((cause as Error).message).replace(/^CronPattern: /, '')
    throw new GoneError('INVALID_PARAMETER', `round-every: expected ${rule}, got "${every}": ${detail}`, {
      cause,
    })
  }
}

/** Undefined where the slots would not begin anew with each minute, hour or day. */
function expressionOf(ms: number): string | undefined {
  const [second, minute, hour] = [1_000, 60_000, 3_600_000]
  const divides = (unit: number, whole: number) => ms >= unit && ms % unit === 0 && whole % ms === 0
  if (divides(second, minute)) return ms === minute ? '* * * * *' : `*/${ms / second} * * * * *`
  if (divides(minute, hour)) return ms === hour ? '0 * * * *' : `*/${ms / minute} * * * *`
  if (divides(hour, 24 * hour)) return ms === 24 * hour ? '0 0 * * *' : `0 */${ms / hour} * * *`
  return undefined
}

function checkZone(zone: string): void {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone })
  } catch (cause) {
    throw new GoneError('INVALID_PARAMETER', `tz: expected a time zone like Europe/Berlin, got "${zone}"`, {
      cause,
    })
  }
}

function formatInstant(ms: number, zone: string): string {
  const format = new Intl.DateTimeFormat('en', {
    timeZone: zone,
    calendar: 'gregory',
    numberingSystem: 'latn',
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  })
  const parts = Object.fromEntries(format.formatToParts(ms).map(({ type, value }) => [type, Number(value)]))
  const { year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0 } = parts
  const localMs = Date.UTC(year, month - 1, day, hour, minute, second)
  return `${new Date(localMs).toISOString().slice(0, 19)}${formatOffset((localMs - ms) / 60_000)}`
}

function formatOffset(minutes: number): string {
  const two = (number: number) => String(Math.floor(number)).padStart(2, '0')
  return `${minutes < 0 ? '-' : '+'}${two(Math.abs(minutes) / 60)}:${two(Math.abs(minutes) % 60)}`
}

function invalid(name: string, rule: string, text: string): GoneError {
  return new GoneError('INVALID_PARAMETER', `${name}: expected ${rule}, got "${text}"`)
}
