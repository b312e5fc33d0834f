/** The smallest worker that is asked something: `gone call upcase --data '{"text":"hello"}'` prints HELLO. */

import { defineWorker, JobFailed, type WorkerJob } from '../../src/index.ts'

export default defineWorker({ concurrency: 16 }, ({ data }: WorkerJob<{ readonly text: string }>) => {
  if (typeof data?.text !== 'string') throw new JobFailed('data.text: expected a text')
  return data.text.toUpperCase()
})
