// A facade that is killed at one await: `open` between the decision and the queue, `close` between the completion's
// record and the queue. Run as a process of its own with the method to die at as its argument.
import pino from 'pino'
import { startServer } from '../../src/app.ts'
import { readConfig } from '../../src/config.ts'
import { BullRoundQueue } from '../../src/queue/round-queue.ts'

const method = process.argv[2] === 'close' ? 'close' : 'open'
BullRoundQueue.prototype[method] = () => {
  process.kill(process.pid, 'SIGKILL')
  return new Promise(() => undefined)
}
const log = pino({ level: 'info' })
const config = readConfig({ ...process.env, GONE_PORT: '0' })
const { url } = await startServer(config, { env: process.env, log, say: () => undefined })
log.info({ url }, 'listening')
