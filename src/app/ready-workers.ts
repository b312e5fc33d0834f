import { failureOf } from '../core/rounds/handler-end.ts'
import { GoneError } from '../errors.ts'
import { within } from '../waiting.ts'
import type { LoadedWorker } from './worker-files.ts'

/** So that a release that never is ready is rolled back within a minute. */
const READY_WITHIN_MS = 30_000

/**
 * Has each worker that can see whether it can do its work see to that, all at once.
 *
 * @throws GoneError `CONFIG` naming one that cannot, and why
 */
export async function readyAll(workers: readonly LoadedWorker[]): Promise<void> {
  await Promise.all(
    workers.map(async ({ name, ready }) => {
      if (ready === undefined) return
      const late = () => new Error(`it has not said so within ${READY_WITHIN_MS / 1_000} s`)
      try {
        await within(READY_WITHIN_MS, Promise.resolve().then(ready), late)
      } catch (cause) {
        throw new GoneError('CONFIG', `worker ${name} is not ready: ${failureOf(cause).reason}`, { cause })
      }
    }),
  )
}
