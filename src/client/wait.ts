import type { Outcome } from '../core/rounds/record.ts'
import type { LedRoundJson, RoundJson } from '../core/rounds/round-wire.ts'
import { pause } from '../waiting.ts'
import { type Duration, durationMs } from './duration.ts'
import type { RoundCalls } from './rounds.ts'

/** A round that has ended. */
export interface FinishedRound<Result = unknown> extends LedRoundJson {
  readonly state: Outcome
  readonly completion: NonNullable<LedRoundJson['completion']> & {
    /** What the worker returned; missing if it failed, returned nothing or more than 4 KiB. */
    readonly result?: Result
  }
}

export interface WaitOptions {
  /** How long to wait for the end of the round. Default 1h. */
  readonly timeout?: Duration
  /** Ends the call; it then rejects with the signal's reason. */
  readonly signal?: AbortSignal
}

/** How long one call of a longer wait asks for: servers answer after 50 s, and proxies give up after 60. */
export const MAX_WAIT_MS = 45_000
/** A caller that is answered earlier than it asked for does not ask again at once. */
export const ASK_AGAIN_MS = 1_000
const WAIT_MS = 3_600_000

/** The round at its end; undefined if the time is up before. Asks again for as long as that takes. */
export async function finished<Result>(
  client: Pick<RoundCalls, 'round'>,
  system: string,
  round: string,
  { timeout = WAIT_MS, signal }: WaitOptions = {},
): Promise<FinishedRound<Result> | undefined> {
  const giveUpMs = performance.now() + durationMs('timeout', timeout)
  for (;;) {
    const askedAtMs = performance.now()
    const wait = Math.max(0, Math.min(giveUpMs - askedAtMs, MAX_WAIT_MS))
    const found = await client.round(system, round, { wait, ...(signal && { signal }) })
    if (isFinished<Result>(found)) return found
    if (performance.now() >= giveUpMs) return undefined
    const earlyMs = askedAtMs + Math.min(ASK_AGAIN_MS, wait) - performance.now()
    if (earlyMs > 0) await pause(earlyMs, signal)
    signal?.throwIfAborted()
  }
}

function isFinished<Result>(round: RoundJson | undefined): round is FinishedRound<Result> {
  return round?.completion !== undefined
}
