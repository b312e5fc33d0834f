import { connect, disconnect, type RedisClient } from '../../src/redis/connections.ts'
import { closeBehindFile } from './left-open.ts'
import { silentLog } from './log.ts'
import { startRedis } from './redis.ts'

/** A client, ready, of a Redis of its own. Both end with the test file. */
export async function startRedisClient(): Promise<RedisClient> {
  const redis = await startRedis()
  const client = connect(redis.url, 'commands', 'test', silentLog)
  closeBehindFile(async () => {
    await disconnect(client)
    await redis.stop()
  })
  await new Promise((resolve) => client.once('ready', resolve))
  return client
}
