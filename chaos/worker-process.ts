// `gone work` with the probe alone, and a gate that ends soon where its holder has died, so that scenarios take seconds.
import { fileURLToPath } from 'node:url'
import pino from 'pino'
import { loadWorkers } from '../src/app/worker-files.ts'
import { startWorkers } from '../src/app/workers.ts'
import { readConfig } from '../src/config.ts'

const GATE_TTL_MS = 2_000

const config = readConfig(process.env)
const log = pino({ name: 'gone-work', level: config.logLevel })
const { workers } = await loadWorkers(fileURLToPath(new URL('./workers', import.meta.url)))
const running = await startWorkers(config, workers, { log, say: () => {}, gateTtlMs: GATE_TTL_MS })
process.once('SIGTERM', () => void running.stop().then(() => process.exit()))
log.info('working')
