import { GoneError } from '../../errors.ts'

/** Where the clocks of a zone are set on or back. */
export interface Transition {
  /** Unix ms of the first instant under the new offset. */
  readonly atMs: number
  /** What the wall clock showed beyond UTC until then, and shows from then on. */
  readonly beforeMs: number
  readonly afterMs: number
}

/** A stretch of time in which every transition is known. */
interface Stretch {
  readonly offsetMs: number
  readonly transitions: readonly Transition[]
}

const DAY_MS = 86_400_000
/** From 1970 to 2100 no zone has two transitions within less than 7 days, so that none is overlooked. */
const STRIDE_MS = 4 * DAY_MS
const STRETCH_MS = 4 * STRIDE_MS
/** What is kept are facts that can be had again, so that a full cache is simply emptied. */
const MAX_ZONES = 1_000
const MAX_STRETCHES = 1_000

const zones = new Map<string, Zone>()

/** A time zone: how far its wall clock is from UTC, and when that changes. As the platform's own zone database has it. */
export class Zone {
  readonly #format: Intl.DateTimeFormat
  readonly #stretches = new Map<number, Stretch>()

  private constructor(name: string) {
    this.#format = formatOf(name)
  }

  /** @throws GoneError `INVALID_PARAMETER` if there is no such zone */
  static named(name: string): Zone {
    const known = zones.get(name)
    if (known) return known
    const zone = new Zone(name)
    if (zones.size >= MAX_ZONES) zones.clear()
    zones.set(name, zone)
    return zone
  }

  /** Wall clock minus UTC at an instant. */
  offsetMs(atMs: number): number {
    const { offsetMs, transitions } = this.#stretch(Math.floor(atMs / STRETCH_MS))
    return transitions.findLast((transition) => transition.atMs <= atMs)?.afterMs ?? offsetMs
  }

  /** Those in (afterMs, untilMs], oldest first. */
  transitions(afterMs: number, untilMs: number): readonly Transition[] {
    const found: Transition[] = []
    for (let index = Math.floor(afterMs / STRETCH_MS); index * STRETCH_MS <= untilMs; index++) {
      for (const transition of this.#stretch(index).transitions)
        if (transition.atMs > afterMs && transition.atMs <= untilMs) found.push(transition)
    }
    return found
  }

  #stretch(index: number): Stretch {
    const known = this.#stretches.get(index)
    if (known) return known
    const stretch = this.#explore(index * STRETCH_MS)
    if (this.#stretches.size >= MAX_STRETCHES) this.#stretches.clear()
    this.#stretches.set(index, stretch)
    return stretch
  }

  /** From just before its begin, so that a transition at the begin itself is the stretch's. */
  #explore(beginMs: number): Stretch {
    const transitions: Transition[] = []
    const offsetMs = this.#ask(beginMs - 1)
    let beforeMs = offsetMs
    for (let fromMs = beginMs - 1; fromMs < beginMs - 1 + STRETCH_MS; fromMs += STRIDE_MS) {
      const untilMs = fromMs + STRIDE_MS
      const afterMs = this.#ask(untilMs)
      if (afterMs !== beforeMs)
        transitions.push({ atMs: this.#turn(fromMs, untilMs, beforeMs), beforeMs, afterMs })
      beforeMs = afterMs
    }
    return { offsetMs, transitions }
  }

  /** The first instant in (fromMs, untilMs] whose offset is another than that of `fromMs`. */
  #turn(fromMs: number, untilMs: number, offsetMs: number): number {
    let [low, high] = [fromMs, untilMs]
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2)
      if (this.#ask(middle) === offsetMs) low = middle
      else high = middle
    }
    return high
  }

  #ask(atMs: number): number {
    const match = /GMT(?:([+\-\u2212])(\d\d):(\d\d)(?::(\d\d))?)?$/.exec(this.#format.format(atMs))
    const [, sign, hours = 0, minutes = 0, seconds = 0] = match ?? []
    const ms = (Number(hours) * 3_600 + Number(minutes) * 60 + Number(seconds)) * 1_000
    return sign === undefined || sign === '+' ? ms : -ms
  }
}

/** The zones of the IANA database whose names have no "/", in small letters. */
const WORDS = new Set(
  (
    'cet cst6cdt cuba eet egypt eire est est5edt gb gb-eire gmt gmt+0 gmt-0 gmt0 greenwich hongkong hst iceland iran israel jamaica ' +
    'japan kwajalein libya met mst mst7mdt navajo nz nz-chat poland portugal prc pst8pdt roc rok singapore turkey uct universal utc ' +
    'w-su wet zulu'
  ).split(' '),
)

/**
 * The platform knows more names than there are zones, abbreviations that mean something else to most (BST is Dhaka's, IST Kolkata's), and
 * newer ones take offsets such as +01:00.
 */
function isZoneName(name: string): boolean {
  const word = name.toLowerCase()
  return word.includes('/') ? /^[a-z]/.test(word) && !word.startsWith('systemv/') : WORDS.has(word)
}

function formatOf(name: string): Intl.DateTimeFormat {
  try {
    if (isZoneName(name))
      return new Intl.DateTimeFormat('en-US', { timeZone: name, timeZoneName: 'longOffset' })
  } catch (cause) {
    throw unknown(name, cause)
  }
  throw unknown(name)
}

function unknown(name: string, cause?: unknown): GoneError {
  const shown = JSON.stringify(name.slice(0, 64).toWellFormed())
  const why = /^[A-Z]{2,5}$/.test(name) ? '; an abbreviation stands for several' : ''
  return new GoneError(
    'INVALID_PARAMETER',
    `tz: expected a time zone like Europe/Berlin, got ${shown}${why}`,
    {
      cause,
    },
  )
}
