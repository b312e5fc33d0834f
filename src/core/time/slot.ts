import { GoneError } from '../../errors.ts'
import { parseDuration } from './duration.ts'
import { DEFAULT_DST, Timetable } from './timetable.ts'

/** A timer that fires early, or a clock that runs behind, is forgiven so much. */
const EARLY_MS = 5_000
const DAY_MS = 86_400_000

/**
 * The moment that a replica means which fires now, as a round's name: the latest slot at or before now. A slot that is due
 * within 5 s, or a quarter of the time between slots if that is shorter, counts as begun.
 *
 * @param every `15m`, `1h`, `1d`: what divides a day, counted from midnight; or a cron expression of 5 or 6 fields
 * @param zone such as `Europe/Berlin`
 * @param nowMs Unix time
 * @returns such as `2026-11-22T08:00:00+01:00`: where clocks are set back, the offset tells the two apart
 * @throws GoneError `INVALID_PARAMETER`
 */
export function slotAt(every: string, zone: string, nowMs: number): string {
  const timetable = timetableOf(every, zone)
  const last = timetable.last(nowMs)
  const next = timetable.after(nowMs)
  if (last === undefined) throw invalid('an expression that has come before now', every)
  if (next === undefined) return last.key
  const earlyMs = Math.min(EARLY_MS, (next.dueMs - last.dueMs) / 4)
  return next.dueMs - nowMs <= earlyMs ? next.key : last.key
}

function timetableOf(every: string, tz: string): Timetable {
  const everyMs = parseDuration(every)
  if (everyMs !== undefined) {
    // What divides no day would be counted from 1970, which a caller that asks for a part of a day hardly means.
    if (everyMs % 1_000 !== 0 || DAY_MS % everyMs !== 0) throw invalid(RULE, every)
    return new Timetable({ everyMs, tz, dst: DEFAULT_DST })
  }
  try {
    return new Timetable({ cron: every, tz, dst: DEFAULT_DST })
  } catch (cause) {
    const { message } = cause as Error
    if (!message.startsWith('cron: ')) throw cause
    const text = message.replace(/^cron: expected a cron expression/, `round-every: expected ${RULE}`)
    throw new GoneError('INVALID_PARAMETER', text.replace(/^cron:/, 'round-every:'), { cause })
  }
}

const RULE = 'a part of a day like 15m, 1h or 1d, or a cron expression'

function invalid(rule: string, text: string): GoneError {
  return new GoneError('INVALID_PARAMETER', `round-every: expected ${rule}, got "${text}"`)
}
