const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday']
const DAY_NAMES = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT']
const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
]
const NICKNAMES: Readonly<Record<string, string>> = {
  '@hourly': '0 * * * *',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@weekly': '0 0 * * 0',
  '@monthly': '0 0 1 * *',
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
}

/** A cron expression in words, where few say it; undefined where they would not: then the next slots speak. */
export function cronWords(cron: string): string | undefined {
  const fields = (NICKNAMES[cron.trim().toLowerCase()] ?? cron.trim()).split(/\s+/)
  const [minute = '', hour = '', day = '', month = '', weekday = ''] = fields
  if (fields.length !== 5) return undefined
  const [clock, when] = [clockWords(minute, hour), dayWords(day, month, weekday)]
  if (clock === undefined || when === undefined) return undefined
  if (!clock.startsWith('every')) return `${clock} ${when}`
  return when === 'every day' ? clock : `${clock}, ${when}`
}

function clockWords(minute: string, hour: string): string | undefined {
  const step = /^\*\/(\d+)$/.exec(minute)?.[1]
  if (hour === '*') {
    if (minute === '*') return 'every minute'
    // 7 minutes do not fit an hour: the last pause is shorter.
    if (step !== undefined)
      return Number(step) > 1 && 60 % Number(step) === 0 ? `every ${step} minutes` : undefined
    const minutes = numbers(minute, 59)
    return minutes && `every hour at ${listed(minutes.map((one) => `:${padded(one)}`))}`
  }
  const every = /^\*\/(\d+)$/.exec(hour)?.[1]
  const minutes = numbers(minute, 59)
  if (minutes === undefined) return undefined
  if (every !== undefined)
    return Number(every) > 1 && 24 % Number(every) === 0 && minutes.length === 1
      ? `every ${every} hours at :${padded(minutes[0] ?? 0)}`
      : undefined
  const hours = numbers(hour, 23)
  if (hours === undefined || hours.length * minutes.length > 4) return undefined
  return `at ${listed(hours.flatMap((one) => minutes.map((other) => `${padded(one)}:${padded(other)}`)))}`
}

function dayWords(day: string, month: string, weekday: string): string | undefined {
  const months = month === '*' ? [] : numbers(month, 12)?.map((one) => MONTHS[one - 1])
  if (months === undefined || months.includes(undefined)) return undefined
  const inMonths = months.length === 0 ? '' : ` in ${listed(months as string[])}`
  // Both together mean either: that takes more words.
  if (day !== '*' && weekday !== '*') return undefined
  if (weekday !== '*') {
    const days = weekdays(weekday)
    return days && `${days}${inMonths}`
  }
  if (day === '*') return `every day${inMonths}`
  const days = numbers(day, 31)
  return days && !days.includes(0)
    ? `on day ${listed(days.map(String))} of ${months.length === 0 ? 'the month' : listed(months as string[])}`
    : undefined
}

function weekdays(text: string): string | undefined {
  const range = /^(\w+)-(\w+)$/.exec(text)
  if (range) {
    const [from, to] = [dayNumber(range[1]), dayNumber(range[2])]
    return from === undefined || to === undefined || from >= to ? undefined : `${DAYS[from]} to ${DAYS[to]}`
  }
  const days = text.split(',').map(dayNumber)
  return days.includes(undefined)
    ? undefined
    : `on ${listed(days.map((one) => DAYS[one as number] as string))}`
}

function dayNumber(text = ''): number | undefined {
  const named = DAY_NAMES.indexOf(text.toUpperCase())
  if (named >= 0) return named
  return /^[0-7]$/.test(text) ? Number(text) : undefined
}

/** `5` or `0,30`, in order. */
function numbers(text: string, max: number): number[] | undefined {
  if (!/^\d{1,2}(,\d{1,2}){0,5}$/.test(text)) return undefined
  const found = text.split(',').map(Number)
  return found.every((one, index) => one <= max && one > (found[index - 1] ?? -1)) ? found : undefined
}

function padded(number: number): string {
  return String(number).padStart(2, '0')
}

function listed(words: readonly string[]): string {
  return words.length < 2 ? (words[0] ?? '') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`
}
