import type { RedisClient } from '../redis/connections.ts'
import { HeardWorker } from './heard-worker.ts'

/** BullMQ's scripts that a worker tells the time, and which of their arguments that is. */
const TIME_ARGUMENT: Readonly<Record<string, number>> = {
  moveToActive: 2,
  moveToDelayed: 2,
  moveToFinished: 2,
  retryJob: 2,
  moveStalledJobsToWait: 3,
}

/** How late a delayed job may be noticed, by a worker whose clock cannot tell when it is due. */
const LOOK_EVERY_S = 1
const LOOK_SOON_S = 0.5

/**
 * Has BullMQ's scripts that come through this client take the time from Redis: by its own a worker would start delayed jobs early
 * or late, as its clock is. To be told before a worker is made of the client.
 */
export function takeTimeFromRedis(client: RedisClient): void {
  const define = client.defineCommand.bind(client)
  client.defineCommand = (name, definition) => {
    const argument = TIME_ARGUMENT[name.split(':')[0] ?? '']
    if (argument === undefined) return define(name, definition)
    const now = `local time = redis.call('TIME')\nARGV[${argument}] = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))`
    return define(name, { ...definition, lua: `do ${now} end\n${definition.lua}` })
  }
}

/** A worker that looks itself whether a delayed job is due, each second where there is one: only Redis knows the time. */
export class PunctualWorker<Data = unknown, Result = unknown> extends HeardWorker<Data, Result> {
  protected override getBlockTimeout(blockUntil: number): number {
    const seconds = super.getBlockTimeout(blockUntil)
    if (!blockUntil) return seconds
    return seconds > 0 ? Math.min(seconds, LOOK_EVERY_S) : LOOK_SOON_S
  }
}
