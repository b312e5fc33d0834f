/**
 * A worker that asks itself: `gone call fibonacci --data 6` prints 8, and takes 24 more calls. Five may wait one for the other, so that 6
 * is the largest; and a worker that ran too few jobs at once would wait for itself, which is refused.
 */

import { defineWorker, JobFailed, type WorkerJob } from '../../src/index.ts'

const fibonacci = defineWorker(
  { concurrency: 32 },
  async ({ data: n }: WorkerJob<number>, { call, fence, log }): Promise<number> => {
    if (!Number.isInteger(n) || n < 0) throw new JobFailed('data: expected a whole number from 0')
    if (n < 2) return n
    await log(`under fence ${fence}: asks for ${n - 1} and ${n - 2}`)
    const ask = (m: number): Promise<number> => call<typeof fibonacci>('fibonacci', m, { timeout: '20s' })
    const [one, other] = await Promise.all([ask(n - 1), ask(n - 2)])
    return one + other
  },
)

export default fibonacci
