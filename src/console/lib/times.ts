/** Times and durations as people read them; the same in text, titles and files. */

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** `850 ms`, `3.4 s`, `57 s`, `5 min 11 s`, `1 h 30 min`, `3 d 4 h`. */
export function duration(ms: number): string {
  if (ms < 0) return `-${duration(-ms)}`
  if (ms < 1_000) return `${Math.round(ms)} ms`
  if (ms < 10_000) return `${(Math.floor(ms / 100) / 10).toFixed(1)} s`
  if (ms < MINUTE) return `${Math.floor(ms / 1_000)} s`
  if (ms < HOUR) return two(ms, MINUTE, 'min', 1_000, 's')
  if (ms < DAY) return two(ms, HOUR, 'h', MINUTE, 'min')
  return two(ms, DAY, 'd', HOUR, 'h')
}

function two(ms: number, unitMs: number, unit: string, restMs: number, rest: string): string {
  const units = Math.floor(ms / unitMs)
  const left = Math.floor((ms - units * unitMs) / restMs)
  return left === 0 ? `${units} ${unit}` : `${units} ${unit} ${left} ${rest}`
}

/** `now`, `12s ago`, `4m ago`, `in 13h`, `in 4d`. */
export function relative(ms: number, nowMs: number): string {
  const apartMs = Math.abs(ms - nowMs)
  if (apartMs < 1_000) return 'now'
  const [size, unit] =
    apartMs < MINUTE
      ? [1_000, 's']
      : apartMs < HOUR
        ? [MINUTE, 'm']
        : apartMs < DAY
          ? [HOUR, 'h']
          : [DAY, 'd']
  const text = `${Math.floor(apartMs / Number(size))}${unit}`
  return ms > nowMs ? `in ${text}` : `${text} ago`
}

/** Today the clock; else the day, too; of another year that as well. `zone` is an IANA name. */
export function moment(ms: number, zone: string, nowMs: number): string {
  const [then, today] = [partsOf(ms, zone), partsOf(nowMs, zone)]
  const clock = `${then.hour}:${then.minute}:${then.second}`
  if (then.year === today.year && then.month === today.month && then.day === today.day) return clock
  const day = `${Number(then.day)} ${then.month}`
  return then.year === today.year ? `${day} ${clock}` : `${day} ${then.year} ${clock}`
}

/** With the day of the week and without seconds: what is to come. */
export function coming(ms: number, zone: string): string {
  const { weekday, day, month, hour, minute, second } = partsOf(ms, zone)
  return `${weekday} ${Number(day)} ${month} ${hour}:${minute}${second === '00' ? '' : `:${second}`}`
}

/** For titles: everything, in UTC. */
export function utc(ms: number): string {
  return `${new Date(ms)
    .toISOString()
    .replace('T', ' ')
    .replace(/\.?0*Z$/, '')} UTC`
}

type Part = 'weekday' | 'year' | 'month' | 'day' | 'hour' | 'minute' | 'second'

const formats = new Map<string, Intl.DateTimeFormat>()

function partsOf(ms: number, zone: string): Record<Part, string> {
  let format = formats.get(zone)
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-GB', {
      timeZone: zone,
      weekday: 'short',
      year: 'numeric',
      month: 'short',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
      hourCycle: 'h23',
    })
    formats.set(zone, format)
  }
  return Object.fromEntries(format.formatToParts(ms).map(({ type, value }) => [type, value])) as Record<
    Part,
    string
  >
}
