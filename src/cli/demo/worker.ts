import pino from 'pino'
import type { LoadedWorker } from '../../app/worker-files.ts'
import { startWorkers } from '../../app/workers.ts'
import type { WorkerContext, WorkerJob } from '../../client/define-worker.ts'
import { readConfig } from '../../config.ts'
import { pause } from '../../waiting.ts'
import { liveAsChild, tell } from './child.ts'
import { JOB_WORKER, type Orders, WORK_MS } from './protocol.ts'

// A worker that dies is noticed after its lock, and its job can run again after the gate's ttl. Both are short here,
// because somebody looks on.
const LOCK_MS = 1_000
const GATE_TTL_MS = 2_000

const dataDir = process.argv[2] ?? ''

const worker: LoadedWorker = {
  name: JOB_WORKER,
  terms: { concurrency: 4, attempts: 5, backoff: { type: 'fixed', delayMs: 500 }, lockMs: LOCK_MS },
  handler,
}

// One of two processes of a worker fleet: knows nothing of replicas, only its queue.
liveAsChild(dataDir, (orders) => void begin(orders))

async function begin({ redisUrl }: Orders): Promise<void> {
  const config = readConfig({ REDIS_URL: redisUrl, GONE_DATA_DIR: dataDir, GONE_LOG_LEVEL: 'silent' })
  const log = pino({ level: config.logLevel })
  await startWorkers(config, [worker], { log, say: () => {}, gateTtlMs: GATE_TTL_MS })
}

async function handler(_: WorkerJob<unknown>, { round, fence, signal, log }: WorkerContext): Promise<object> {
  tell({ kind: 'runs', round, fence })
  await log(`runs under fence ${fence}`)
  await pause(WORK_MS, signal)
  signal.throwIfAborted()
  tell({ kind: 'ran', round, fence })
  return { workedMs: WORK_MS }
}
