// A facade that is killed at one await: `decide` between the decision and its answer, `show` between the completion's record and the queue, `alert` between an alert's opening and its queue, `deliver` before its receiver is told. Run as a process of its own with the method to die at as its argument.
import pino from 'pino'
import { startServer } from '../../src/app/server.ts'
import { readConfig } from '../../src/config.ts'
import { BullAlertQueue } from '../../src/queue/alert-queue.ts'
import { AlertWorker } from '../../src/queue/alert-worker.ts'
import { BullRoundQueue } from '../../src/queue/round-queue.ts'
import { RedisRecords } from '../../src/store/records/redis-records.ts'

function die(): Promise<never> {
  process.kill(process.pid, 'SIGKILL')
  return new Promise(() => undefined)
}

function dieAfter<Given extends unknown[], Answer>(method: (...given: Given) => Promise<Answer>) {
  return async function (this: unknown, ...given: Given): Promise<Answer> {
    await method.apply(this, given)
    return die()
  }
}

switch (process.argv[2]) {
  case 'alert':
    BullAlertQueue.prototype.add = die
    break
  case 'deliver':
    // Private to the types alone.
    Object.assign(AlertWorker.prototype, { deliver: die })
    break
  case 'show':
    BullRoundQueue.prototype.show = die
    break
  default:
    RedisRecords.prototype.decide = dieAfter(RedisRecords.prototype.decide)
}
const log = pino({ level: 'info' })
const config = readConfig({ ...process.env, GONE_PORT: '0' })
const { url } = await startServer(config, { env: process.env, log, say: () => undefined })
log.info({ url }, 'listening')
