import type { SlotJson } from '../../core/schedules/schedule-wire.ts'

/** A moment for people, such as `Mon 2026-11-23 02:00 +01`; the seconds are left out where they are 00. */
export function localTime({ local }: Pick<SlotJson, 'local'>, { weekday = false } = {}): string {
  const { date, time, offset } = partsOf(local)
  return `${weekday ? `${weekdayOf(date)} ` : ''}${date} ${time} ${offset}`
}

/** The same in UTC, without saying so. */
export function utcTime({ at }: Pick<SlotJson, 'at'>): string {
  const { date, time } = partsOf(new Date(at).toISOString())
  return `${date} ${time}`
}

/** `2026-11-23 02:00 +01 (01:00 UTC)`, with UTC's date where it is another, and without the rest where it is UTC. */
export function bothTimes(slot: Pick<SlotJson, 'at' | 'local'>): string {
  const { date, offset } = partsOf(slot.local)
  const utc = utcTime(slot)
  if (offset === '+00') return `${utc} UTC`
  return `${localTime(slot)} (${utc.startsWith(date) ? utc.slice(date.length + 1) : utc} UTC)`
}

/** Of an ISO 8601 time; a text of another form is shown as it is. */
function partsOf(iso: string): { date: string; time: string; offset: string } {
  const match =
    /^(\d{4,6}-\d\d-\d\d)T(\d\d:\d\d)(?::(\d\d)(?:\.\d+)?)?(Z|([+-]\d\d)(?::?(\d\d))?(?::\d\d)?)$/.exec(iso)
  if (!match) return { date: iso, time: '', offset: '' }
  const [, date = '', minutes = '', seconds = '00', , hours = '+00', rest = '00'] = match
  return {
    date,
    time: seconds === '00' ? minutes : `${minutes}:${seconds}`,
    offset: rest === '00' ? hours : `${hours}:${rest}`,
  }
}

function weekdayOf(date: string): string {
  return ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'][new Date(`${date}T00:00:00Z`).getUTCDay()] ?? ''
}
