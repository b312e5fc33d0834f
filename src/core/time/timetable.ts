import { GoneError } from '../../errors.ts'
import { formatDuration } from './duration.ts'
import { type WallTimes, wallTimesEvery, wallTimesOf } from './wall-times.ts'
import { type Transition, Zone } from './zone.ts'

/** What becomes of a fixed time of day when clocks are set on over it (gap) or back behind it (overlap). */
export interface DstPolicy {
  /** `run-after`: at the first instant after the gap. */
  readonly gap: 'skip' | 'run-after'
  readonly overlap: 'first' | 'second' | 'both'
}

export interface TimetableSpec {
  /** Exactly one of cron, everyMs, atMs. */
  readonly cron?: string
  readonly everyMs?: number
  /** Unix ms. */
  readonly atMs?: number
  /** An IANA name. */
  readonly tz: string
  readonly dst: DstPolicy
  /** The first slot is due at or after it. */
  readonly startAtMs?: number
  /** No slot is due after it. */
  readonly endAtMs?: number
}

/** One nominal time. */
export interface Slot {
  /** The wall time that was meant and the offset it was meant in, such as `2026-11-22T08:00:00+01:00`; the same in every replica. */
  readonly key: string
  /** The instant at which it comes, Unix ms. */
  readonly dueMs: number
}

/** For who says nothing else. */
export const DEFAULT_DST: DstPolicy = { gap: 'run-after', overlap: 'first' }

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** No slot's wall time, read as UTC, is further from the instant it is due: offsets are below 16 h, gaps are a day at most. */
const REACH_MS = 2 * DAY_MS
/** No clock is set on or back by more, so that an overlap is over so long after its transition. */
const MAX_SHIFT_MS = 26 * HOUR_MS
/** How much is looked at at a time. */
const WINDOW_MS = 4 * DAY_MS
const MAX_EVERY_MS = 366 * DAY_MS
/** Years of four digits, and no slot's offset leads out of them. */
const EARLIEST_MS = Date.UTC(1000, 0, 3)
const LATEST_MS = Date.UTC(9999, 11, 29)

/**
 * The slots of a schedule: pure, and the same everywhere. `docs/schedules.md` publishes its rule.
 *
 * Slots come in the order in which they are due; several may be due at one instant, the end of a gap.
 *
 * @throws GoneError `INVALID_PARAMETER` that names the field
 */
export class Timetable {
  readonly #series: Series
  readonly #startMs: number
  readonly #endMs: number

  constructor(spec: TimetableSpec) {
    this.#series = seriesOf(spec)
    this.#startMs = Math.max(EARLIEST_MS, spec.startAtMs ?? EARLIEST_MS)
    this.#endMs = Math.min(LATEST_MS, spec.endAtMs ?? LATEST_MS)
    if (spec.startAtMs !== undefined && spec.endAtMs !== undefined && spec.endAtMs < spec.startAtMs)
      throw invalid('endAt', 'a time after startAt', new Date(spec.endAtMs).toISOString())
  }

  /** The first slot due after `ms`; undefined when there is none any more. */
  after(ms: number): Slot | undefined {
    const slot = first(this.#from(ms + 1))
    return slot && slot.dueMs <= this.#endMs ? slot : undefined
  }

  /**
   * Slots due in (afterMs, untilMs], oldest first, at most `limit`. Slots that are due at one instant are not parted, or
   * a reader that goes on after the last would lose some: so there may be more, at the end of a gap.
   */
  between(afterMs: number, untilMs: number, limit: number): readonly Slot[] {
    const endMs = Math.min(untilMs, this.#endMs)
    const found: Slot[] = []
    if (limit <= 0) return found
    for (const slot of this.#from(afterMs + 1)) {
      if (slot.dueMs > endMs) break
      if (found.length >= limit && slot.dueMs !== found.at(-1)?.dueMs) break
      found.push(slot)
    }
    return found
  }

  /** The latest slot due at or before `ms`. */
  last(ms: number): Slot | undefined {
    const slot = first(this.#series.backward(Math.min(Math.floor(ms), this.#endMs)))
    return slot && slot.dueMs >= this.#startMs ? slot : undefined
  }

  #from(ms: number): Slots {
    return this.#series.forward(Math.max(Math.floor(ms), this.#startMs))
  }
}

type Slots = Generator<Slot, void>

function first(slots: Slots): Slot | undefined {
  for (const slot of slots) return slot
  return undefined
}

interface Series {
  /** Due at or after `fromMs`, oldest first. */
  forward(fromMs: number): Slots
  /** Due at or before `untilMs`, latest first. */
  backward(untilMs: number): Slots
}

function seriesOf(spec: TimetableSpec): Series {
  const { cron, everyMs, atMs, startAtMs, dst } = spec
  if ([cron, everyMs, atMs].filter((given) => given !== undefined).length !== 1)
    throw new GoneError('INVALID_PARAMETER', 'cron: expected exactly one of cron, every and at')
  checkChoice('dst.gap', dst.gap, ['skip', 'run-after'])
  checkChoice('dst.overlap', dst.overlap, ['first', 'second', 'both'])
  const zone = Zone.named(spec.tz)
  if (cron !== undefined) return new WallSeries(zone, wallTimesOf(cron), dst)
  if (atMs !== undefined) return onceAt(zone, checkTime(atMs))
  const ms = checkEvery(everyMs ?? 0)
  if (DAY_MS % ms === 0) return new WallSeries(zone, wallTimesEvery(ms), dst)
  return elapsed(zone, ms, startAtMs)
}

function checkChoice(name: string, value: string, choices: readonly string[]): void {
  if (!choices.includes(value)) throw invalid(name, choices.join(' or '), value)
}

function checkTime(ms: number): number {
  if (ms >= EARLIEST_MS && ms <= LATEST_MS) return ms
  const isTime = !Number.isNaN(new Date(ms).getTime())
  throw invalid(
    'at',
    `a time from ${dayOf(EARLIEST_MS)} to ${dayOf(LATEST_MS)}`,
    isTime ? dayOf(ms) : String(ms),
  )
}

function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, -'T00:00:00.000Z'.length)
}

function checkEvery(ms: number): number {
  if (ms >= 1_000 && ms <= MAX_EVERY_MS && ms % 1_000 === 0) return ms
  throw invalid('every', 'whole seconds from 1s to 366d', formatDuration(ms))
}

function onceAt(zone: Zone, atMs: number): Series {
  const slot = { key: formatInstant(zone, atMs), dueMs: atMs }
  return {
    *forward(fromMs) {
      if (fromMs <= atMs) yield slot
    },
    *backward(untilMs) {
      if (untilMs >= atMs) yield slot
    },
  }
}

/** What divides no day is counted in elapsed time, from startAt or else 1970-01-01T00:00:00Z. */
function elapsed(zone: Zone, everyMs: number, originMs = 0): Series {
  const slotAt = (dueMs: number): Slot => ({ key: formatInstant(zone, dueMs), dueMs })
  return {
    *forward(fromMs) {
      let dueMs = originMs + Math.ceil((fromMs - originMs) / everyMs) * everyMs
      for (; dueMs <= LATEST_MS; dueMs += everyMs) yield slotAt(dueMs)
    },
    *backward(untilMs) {
      let dueMs = originMs + Math.floor((untilMs - originMs) / everyMs) * everyMs
      for (; dueMs >= EARLIEST_MS; dueMs -= everyMs) yield slotAt(dueMs)
    },
  }
}

/** A time in which the offset does not change. */
interface Piece {
  readonly fromMs: number
  /** The first instant that it does not hold. */
  readonly endMs: number
  readonly offsetMs: number
  /** What begins it, if it is not the window. */
  readonly transition?: Transition
}

/** Wall times in a zone: what the clock shows twice, or never, is the policy's where times are fixed. */
class WallSeries implements Series {
  readonly #zone: Zone
  readonly #times: WallTimes
  readonly #dst: DstPolicy

  constructor(zone: Zone, times: WallTimes, dst: DstPolicy) {
    this.#zone = zone
    this.#times = times
    this.#dst = dst
  }

  *forward(fromMs: number): Slots {
    let atMs = fromMs
    while (atMs <= LATEST_MS) {
      const wallMs = this.#times.next(atMs - REACH_MS)
      if (wallMs === undefined) return
      atMs = Math.max(atMs, wallMs - REACH_MS)
      const endMs = atMs + WINDOW_MS
      for (const piece of this.#pieces(atMs, endMs)) {
        yield* this.#inGap(piece)
        yield* this.#in(piece)
      }
      atMs = endMs
    }
  }

  *backward(untilMs: number): Slots {
    let endMs = untilMs + 1
    while (endMs > EARLIEST_MS) {
      const wallMs = this.#times.previous(endMs + REACH_MS)
      if (wallMs === undefined) return
      endMs = Math.min(endMs, wallMs + REACH_MS + 1)
      const atMs = endMs - WINDOW_MS
      for (const piece of this.#pieces(atMs, endMs).toReversed()) {
        yield* this.#inReversed(piece)
        yield* [...this.#inGap(piece)].toReversed()
      }
      endMs = atMs
    }
  }

  #pieces(fromMs: number, endMs: number): readonly Piece[] {
    const pieces: Piece[] = []
    let piece: Piece = { fromMs, endMs, offsetMs: this.#zone.offsetMs(fromMs) }
    for (const transition of this.#zone.transitions(fromMs - 1, endMs - 1)) {
      const { atMs, afterMs } = transition
      if (atMs > piece.fromMs) pieces.push({ ...piece, endMs: atMs })
      piece = { fromMs: atMs, endMs, offsetMs: afterMs, transition }
    }
    return [...pieces, piece]
  }

  /** The fixed times that no clock shows are due when the gap is over, as what they were meant to be. */
  *#inGap({ transition }: Piece): Slots {
    if (!transition || !this.#times.isFixed || this.#dst.gap === 'skip') return
    const { atMs, beforeMs, afterMs } = transition
    let wallMs = this.#times.next(atMs + beforeMs)
    while (wallMs !== undefined && wallMs < atMs + afterMs) {
      yield { key: formatWall(wallMs, beforeMs), dueMs: atMs }
      wallMs = this.#times.next(wallMs + 1)
    }
  }

  *#in({ fromMs, endMs, offsetMs }: Piece): Slots {
    let wallMs = this.#times.next(fromMs + offsetMs)
    while (wallMs !== undefined && wallMs < endMs + offsetMs) {
      if (!this.#isLeftOut(wallMs, offsetMs)) yield slotOf(wallMs, offsetMs)
      wallMs = this.#times.next(wallMs + 1)
    }
  }

  *#inReversed({ fromMs, endMs, offsetMs }: Piece): Slots {
    let wallMs = this.#times.previous(endMs + offsetMs)
    while (wallMs !== undefined && wallMs >= fromMs + offsetMs) {
      if (!this.#isLeftOut(wallMs, offsetMs)) yield slotOf(wallMs, offsetMs)
      wallMs = this.#times.previous(wallMs)
    }
  }

  /** Whether it is the half of an overlap that is not wanted. */
  #isLeftOut(wallMs: number, offsetMs: number): boolean {
    const { overlap } = this.#dst
    if (!this.#times.isFixed || overlap === 'both') return false
    const dueMs = wallMs - offsetMs
    if (overlap === 'first')
      return this.#zone
        .transitions(dueMs - MAX_SHIFT_MS, dueMs)
        .some(({ atMs, beforeMs }) => wallMs < atMs + beforeMs)
    return this.#zone
      .transitions(dueMs, dueMs + MAX_SHIFT_MS)
      .some(({ atMs, afterMs }) => wallMs >= atMs + afterMs)
  }
}

function slotOf(wallMs: number, offsetMs: number): Slot {
  return { key: formatWall(wallMs, offsetMs), dueMs: wallMs - offsetMs }
}

/** What the clocks of a zone show at an instant, as a slot's key is written. */
export function instantIn(tz: string, ms: number): string {
  return formatInstant(Zone.named(tz), ms)
}

function formatInstant(zone: Zone, ms: number): string {
  const offsetMs = zone.offsetMs(ms)
  return formatWall(ms + offsetMs, offsetMs)
}

/** ISO 8601; milliseconds, and seconds of the offset, only where there are any. */
function formatWall(wallMs: number, offsetMs: number): string {
  const wall = new Date(wallMs).toISOString().slice(0, wallMs % 1_000 === 0 ? -'.000Z'.length : -'Z'.length)
  return `${wall}${formatOffset(offsetMs / 1_000)}`
}

function formatOffset(seconds: number): string {
  const two = (number: number) => String(Math.floor(number)).padStart(2, '0')
  const rest = Math.abs(seconds)
  const whole = `${seconds < 0 ? '-' : '+'}${two(rest / 3_600)}:${two((rest / 60) % 60)}`
  return rest % 60 === 0 ? whole : `${whole}:${two(rest % 60)}`
}

function invalid(name: string, rule: string, text: string): GoneError {
  return new GoneError('INVALID_PARAMETER', `${name}: expected ${rule}, got "${text}"`)
}
