import { attempt } from './attempt.ts'
import type { RedisClient } from './connections.ts'

/**
 * The clock that all servers share, so that two of them never tell different slots at one moment.
 *
 * @returns Unix ms
 * @throws GoneError `STORE_UNAVAILABLE`
 */
export async function redisNowMs(client: RedisClient): Promise<number> {
  return attempt('tell the time', async () => {
    const [seconds, micros] = await client.time()
    return Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000)
  })
}
