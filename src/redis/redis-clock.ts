import { GoneError } from '../errors.ts'
import type { RedisClient } from './connections.ts'
import { redisTrouble } from './trouble.ts'

/**
 * The clock that all servers share, so that two of them never tell different slots at one moment.
 *
 * @returns Unix ms
 * @throws GoneError `STORE_UNAVAILABLE`
 */
export async function redisNowMs(client: RedisClient): Promise<number> {
  try {
    const [seconds, micros] = await client.time()
    return Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000)
  } catch (cause) {
    throw new GoneError('STORE_UNAVAILABLE', `cannot tell the time: ${redisTrouble(cause)}; safe to retry`, {
      cause,
    })
  }
}
