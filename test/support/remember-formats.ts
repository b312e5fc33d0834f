const REMEMBERED = 20_000

/**
 * From now on a formatter of dates remembers what it answered of late, in this process. A library that knows zones by
 * formatting asks most of its instants again and again, and half of the time that it takes goes there.
 */
export function rememberFormats(): void {
  const { prototype } = Intl.DateTimeFormat
  const { formatToParts } = prototype
  const answers = new WeakMap<Intl.DateTimeFormat, Map<number, Intl.DateTimeFormatPart[]>>()
  prototype.formatToParts = function (this: Intl.DateTimeFormat, date) {
    const known = answers.get(this) ?? new Map<number, Intl.DateTimeFormatPart[]>()
    answers.set(this, known)
    const ms = Number(date)
    const parts = known.get(ms) ?? formatToParts.call(this, date)
    if (known.size >= REMEMBERED) known.clear()
    known.set(ms, parts)
    return parts
  }
}
