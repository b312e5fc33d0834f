import { createHash } from 'node:crypto'
import { Redis } from 'ioredis'
import type { TestRedis } from './redis.ts'

/** Every byte that Redis keeps, but what BullMQ renews by itself: key by key, a digest of its content. */
export async function snapshotOf(redis: TestRedis): Promise<Readonly<Record<string, string>>> {
  const client = new Redis(redis.port)
  try {
    const keys = (await client.keys('*'))
      .filter((key) => !/^\{gone\}:.*:(meta|stalled-check|marker)$/.test(key))
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
