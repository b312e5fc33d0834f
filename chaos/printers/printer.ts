import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { defineWorker, type WorkerJob } from '../../src/index.ts'
import { monotonicMs } from '../history.ts'

interface PrinterData {
  /** It prints 50 MiB a second for so long. */
  readonly floodMs?: number
  /** It prints this, and when. */
  readonly says?: string
}

const LINES = `${'x'.repeat(1_023)}\n`.repeat(64)
const EACH_SECOND = 50 * 16

// A worker that prints, a little or without end.
export default defineWorker({ concurrency: 4 }, async ({ data }: WorkerJob<PrinterData>) => {
  if (data.says !== undefined) process.stdout.write(`${data.says} at ${monotonicMs()}\n`)
  const { floodMs = 0 } = data
  const startedMs = performance.now()
  let written = 0
  for (let passedMs = 0; passedMs < floodMs; passedMs = performance.now() - startedMs) {
    if (written >= (passedMs / 1_000) * EACH_SECOND) {
      await sleep(5)
      continue
    }
    if (!process.stdout.write(LINES)) await once(process.stdout, 'drain')
    written += 1
  }
  return { mib: written / 16, pid: process.pid }
})
