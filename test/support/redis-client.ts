import { afterAll } from 'vitest'
import { connect, disconnect, type RedisClient } from '../../src/redis/connections.ts'
import { silentLog } from './log.ts'
import { startRedis } from './redis.ts'

const closers: (() => Promise<void>)[] = []

afterAll(async () => {
  for (const close of closers) await close()
})

/** A client, ready, of a Redis of its own. Both end with the test file. */
export async function startRedisClient(): Promise<RedisClient> {
  const redis = await startRedis()
  const client = connect(redis.url, 'commands', 'test', silentLog)
  closers.push(async () => {
    await disconnect(client)
    await redis.stop()
  })
  await new Promise((resolve) => client.once('ready', resolve))
  return client
}
