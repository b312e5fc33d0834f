// A facade that is killed at one await: `decide` between the decisions of so many rounds and all of their answers, `show` between the completion's record and the queue, `alert` between an alert's opening and its queue, `deliver` before its receiver is told. Run as a process of its own with the method to die at, and how many rounds, as its arguments.
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

function dieAfter<Given extends unknown[], Answer>(
  count: number,
  method: (...given: Given) => Promise<Answer>,
) {
  let left = count
  return async function (this: unknown, ...given: Given): Promise<Answer> {
    // Where the machine is so loaded that Redis is given up: the same again is the same decision.
    while (
      !(await method.apply(this, given).then(
        () => true,
        () => false,
      ))
    );
    left -= 1
    return left > 0 ? new Promise(() => undefined) : die()
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
    RedisRecords.prototype.decide = dieAfter(Number(process.argv[3] ?? 1), RedisRecords.prototype.decide)
}
const log = pino({ level: 'info' })
const config = readConfig({ ...process.env, GONE_PORT: '0' })
const { url } = await startServer(config, { env: process.env, log, say: () => undefined })
log.info({ url }, 'listening')
