import { createHash } from 'node:crypto'
import { Redis } from 'ioredis'
import { expect, vi } from 'vitest'
import type { TestRedis } from './redis.ts'

/**
 * Every byte that Redis keeps, but what BullMQ and the watches of store and fleet renew: key by key, a digest of its content.
 * Taken once the servers have delivered what they still had to: an outbox that empties is no change.
 */
export async function snapshotOf(redis: TestRedis): Promise<Readonly<Record<string, string>>> {
  const client = new Redis(redis.port)
  try {
    const outboxes = async () => expect(await client.keys('gone:*:outbox')).toEqual([])
    await vi.waitFor(outboxes, { timeout: 30_000 })
    const keys = (await client.keys('*'))
      .filter(
        (key) =>
          !/^\{gone\}:.*:(meta|stalled-check|marker)$|^gone:\{~store\}$|^gone:\{~(fleet|servers|work)\}:/.test(
            key,
          ),
      )
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
