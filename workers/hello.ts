/** The worker to learn from. This file's name is the queue that it serves: submit a round with `"worker": "hello"`. */

import { setTimeout as sleep } from 'node:timers/promises'
import { JobFailed } from '../src/core/rounds/job-failed.ts'
import { defineWorker, type WorkerJob } from '../src/index.ts'

/** What is submitted, and what the round ends with. Both are kept in Redis, so both are JSON. */
interface HelloData {
  readonly names: readonly string[]
}
interface HelloResult {
  readonly greeted: number
}

// A submission's own attempts, backoff and timeout go before these.
const options = { attempts: 3, timeout: '1m', concurrency: 4 } as const

// Of all who submitted the round, one worker gets here. It may get here again (a later attempt, or after a worker died),
// so do what can be done twice, or show the fence where the effect lands.
export default defineWorker(
  options,
  async ({ data }: WorkerJob<HelloData>, context): Promise<HelloResult> => {
    // Data comes from outside. JobFailed ends the round at once; any other error asks for another attempt.
    if (!Array.isArray(data?.names)) throw new JobFailed('data.names: expected a list of names')

    let greeted = 0
    for (const name of data.names) {
      // Takes the place of the work. It stops when the signal is aborted: the time is up, or another worker may start this
      // round. Give the signal to whatever takes it (fetch does), or look at `context.signal.aborted` between steps.
      await sleep(200, undefined, { signal: context.signal })

      // Both show on the board. The fence grows with each start of a round: a database that keeps the highest one it saw
      // (`update … where fence < $fence`) refuses a worker that was thought dead and comes back late.
      await context.log(`hello ${name}, from ${context.system}/${context.round} under fence ${context.fence}`)
      greeted += 1
      await context.progress(Math.round((100 * greeted) / data.names.length))
    }

    // The result is recorded with the round: whoever asks for the round reads it.
    return { greeted }
  },
)
