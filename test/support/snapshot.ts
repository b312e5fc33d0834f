import { createHash } from 'node:crypto'
import { Redis } from 'ioredis'
import type { TestRedis } from './redis.ts'

/** Every byte that Redis keeps, but what BullMQ and the watch of the store renew: key by key, a digest of its content. */
export async function snapshotOf(redis: TestRedis): Promise<Readonly<Record<string, string>>> {
  const client = new Redis(redis.port)
  try {
    const keys = (await client.keys('*'))
      .filter((key) => !/^\{gone\}:.*:(meta|stalled-check|marker)$|^gone:\{~store\}$/.test(key))
      .sort()
    const contents = await Promise.all(keys.map((key) => client.dumpBuffer(key)))
    return Object.fromEntries(
      keys.map((key, index) => [
        key,
        createHash('sha256')
          .update(contents[index] ?? '')
          .digest('hex'),
      ]),
    )
  } finally {
    client.disconnect()
  }
}
