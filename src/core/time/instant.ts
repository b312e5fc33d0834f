/**
 * The Unix ms of a time as RFC 3339 writes it, digits beyond those of a ms left out. Undefined for anything else, also for a day that
 * its month does not have, 24:00, and a leap second, which Unix time has no number for.
 */
export function parseInstant(text: string): number | undefined {
  const [, date = '', time = '', fraction = '', offset = ''] =
    /^(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)$/.exec(text) ?? []
  const [year = 0, month = 0, day = 0] = date.split('-').map(Number)
  const [hours = 0, minutes = 0, seconds = 0] = time.split(':').map(Number)
  const offsetMs = offsetMsOf(offset)
  const isTime = hours <= 23 && minutes <= 59 && seconds <= 59
  if (!isTime || offsetMs === undefined || day < 1 || day > daysIn(year, month)) return undefined
  return Date.parse(`${date}T${time}Z`) + Number(fraction.padEnd(3, '0').slice(0, 3)) - offsetMs
}

function offsetMsOf(text: string): number | undefined {
  if (/^z$/i.test(text)) return 0
  const [, sign, hours = 0, minutes = 0] = /^([+-])(\d\d):(\d\d)$/.exec(text) ?? []
  if (sign === undefined || Number(hours) > 23 || Number(minutes) > 59) return undefined
  const ms = (Number(hours) * 60 + Number(minutes)) * 60_000
  return sign === '-' ? -ms : ms
}

/** 0 for what is no month. */
function daysIn(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28
  return [31, 0, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1] ?? 0
}
