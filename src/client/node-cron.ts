import { checkIdentifier } from '../core/rounds/round.ts'
import { parseDuration } from '../core/time/duration.ts'
import type { GoneClient } from './client.ts'
import { type Duration, durationMs } from './duration.ts'
import type { Lead, OnceOptions } from './once.ts'

export interface NodeCronOptions extends Pick<OnceOptions, 'wait' | 'deadline'> {
  readonly client: Pick<GoneClient, 'once'>
  /** The name that the replicas share. */
  readonly system: string
  /** How long a silent winner keeps the round. Default: the task's `distributedLease`, which is 30s by default. */
  readonly lease?: Duration
  /** Told when the lead of a task that runs here was lost, which node-cron does not stop. Default: `console.error`. */
  readonly onError?: (error: unknown, round: string) => void
}

/** What node-cron asks, from version 4.5 on. */
export interface NodeCronCoordinator {
  /** Rejects where nobody answers: node-cron then does not run the task. */
  shouldRun(key: string, ttlMs: number): Promise<boolean>
  onComplete(key: string): Promise<void>
}

const MIN_LEASE_MS = 1_000
const MAX_LEASE_MS = parseDuration('1d') as number

/**
 * A run coordinator for node-cron: of all replicas with a task of the same name, one runs it each time.
 *
 * The round is node-cron's own key, `<task name>:<slot in UTC>`. Its lease is renewed while the task runs, and the round
 * is completed when it has ended; node-cron does not tell whether that was well.
 *
 * @throws GoneError `INVALID_IDENTIFIER`, `INVALID_PARAMETER`
 */
export function nodeCronCoordinator(options: NodeCronOptions): NodeCronCoordinator {
  const { client, system, lease, wait, deadline } = options
  checkIdentifier('system', system)
  const ownLeaseMs = lease === undefined ? undefined : durationMs('lease', lease)
  const tell = options.onError ?? ((error, round) => console.error(`gone: ${system} ${round}:`, error))
  const runs = new Map<string, Run>()
  return {
    shouldRun(key, ttlMs) {
      const round = roundOf(key)
      return new Promise((resolve, reject) => {
        const begin = ({ signal }: Lead) =>
          new Promise<void>((end) => {
            signal.addEventListener('abort', () => tell(signal.reason, round))
            runs.set(key, { end, ended })
            resolve(true)
          })
        const ended = client.once(system, round, begin, {
          lease: ownLeaseMs ?? Math.min(Math.max(ttlMs, MIN_LEASE_MS), MAX_LEASE_MS),
          ...(wait !== undefined && { wait }),
          ...(deadline !== undefined && { deadline }),
        })
        // Has no effect on who was elected.
        ended.then(() => resolve(false), reject)
      })
    },
    async onComplete(key) {
      const run = runs.get(key)
      runs.delete(key)
      run?.end()
      await run?.ended
    },
  }
}

interface Run {
  /** The task has ended. */
  readonly end: () => void
  /** That has been reported. */
  readonly ended: Promise<unknown>
}

/** A task may have any name, a round may not. */
function roundOf(key: string): string {
  try {
    checkIdentifier('round', key)
    return key
  } catch {
    return encodeURIComponent(key)
  }
}
