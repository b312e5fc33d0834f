import { defineWorker } from '../../src/index.ts'

/** Answers what it is asked. */
export default defineWorker({ concurrency: 64 }, ({ data }) => data)
