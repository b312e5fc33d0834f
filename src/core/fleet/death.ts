import type { RoundId } from '../rounds/round.ts'
import type { Exit } from './supervised.ts'

/** Why an instance ended. `crash`: by itself, or by a signal from outside. */
export const DEATH_CAUSES = [
  'crash',
  'unresponsive',
  'stuck',
  'memory',
  'age',
  'jobs',
  'ordered',
  'supervisor stops',
] as const
export type DeathCause = (typeof DEATH_CAUSES)[number]

/** What an instance ran when it died. */
export interface LeftJob {
  readonly worker: string
  readonly round: RoundId
}

/** How much memory an instance had, and how long before its end. */
export interface MemorySample {
  readonly agoMs: number
  readonly rssBytes: number
}

/** What is known of the death of an instance, for a day. */
export interface Death extends Exit {
  readonly cause: DeathCause
  readonly livedMs: number
  /** The last that it has printed. */
  readonly lines: readonly string[]
  /** Of the last five minutes, oldest first. */
  readonly memory: readonly MemorySample[]
  /** What it ran, and what was handed back to its queue. */
  readonly jobs: readonly LeftJob[]
}

export const DEATH_KEPT_MS = 86_400_000
export const LAST_LINES = 50
/** A line may be as long as it likes; so much of it tells what was wrong. */
export const MAX_LINE_CHARS = 1_000

/** What an end most likely means, for people. */
export function deathText({ code, signal, cause }: Pick<Death, 'code' | 'signal' | 'cause'>): string {
  if (cause === 'unresponsive') return 'its event loop did not answer, and its supervisor killed it'
  if (cause === 'memory') return 'it had all the memory that it may have, and its supervisor killed it'
  if (cause !== 'crash')
    return signal === 'SIGKILL'
      ? 'it did not end in time when it was to, and its supervisor killed it'
      : 'it was to end, and did not do so in order'
  switch (signal) {
    case 'SIGKILL':
      return 'somebody killed it, or the system did because memory was short'
    case 'SIGABRT':
      return 'it aborted: most likely its heap was full'
    case null:
      break
    default:
      return `${signal} ended it, from outside or by a fault in native code`
  }
  if (code === null) return 'it could not be started'
  return code === 0 ? 'it ended by itself, though nobody asked it to' : 'it ended by itself, after an error'
}
