/** A life that is shorter counts: what dies again and again must not be started again and again. */
const SHORT_LIFE_MS = 60_000
const WINDOW_MS = 600_000
/** So many short lives within the window are a crash loop. */
const MOST_SHORT_LIVES = 5
/** How often it is tried nevertheless. */
export const RETRY_EVERY_MS = 300_000
const FIRST_PAUSE_MS = 1_000
/** How instances are ended that do not work: of a worker one after the other, and then only told. */
export const RECYCLING = { apartMs: 45_000, windowMs: 600_000, most: 3 } as const
const JITTER = 0.25

/** A life of an instance that has ended by no order of anybody. */
export interface EndedLife {
  readonly startedAtMs: number
  readonly endedAtMs: number
}

export interface Restart {
  readonly pauseMs: number
  readonly isCrashLooping: boolean
}

/**
 * When an instance is started again whose last life has just ended. Short lives are counted in a window, and not one after
 * the other: one long life between them does not make a crash loop good.
 *
 * @param lives the last ones of its place, oldest first
 * @param random from 0 to 1
 */
export function restartAfter(lives: readonly EndedLife[], random: number): Restart {
  const last = lives.at(-1)
  if (last === undefined || !isShort(last)) return { pauseMs: 0, isCrashLooping: false }
  const short = lives.filter((life) => isShort(life) && last.endedAtMs - life.endedAtMs < WINDOW_MS).length
  if (short >= MOST_SHORT_LIVES) return { pauseMs: RETRY_EVERY_MS, isCrashLooping: true }
  const pauseMs = short === 1 ? 0 : FIRST_PAUSE_MS * 2 ** (short - 2)
  return { pauseMs: pauseMs * (1 + JITTER * (2 * random - 1)), isCrashLooping: false }
}

/** Those that may still matter. */
export function livesToKeep(lives: readonly EndedLife[]): readonly EndedLife[] {
  return lives.slice(-MOST_SHORT_LIVES)
}

/** True once an instance that was in a crash loop has lived long enough. */
export function isSettled(startedAtMs: number, nowMs: number): boolean {
  return nowMs - startedAtMs >= SHORT_LIFE_MS
}

function isShort({ startedAtMs, endedAtMs }: EndedLife): boolean {
  return endedAtMs - startedAtMs < SHORT_LIFE_MS
}
