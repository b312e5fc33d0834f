import type { Worker } from 'bullmq'
import type { RedisClient } from '../redis/connections.ts'
import { endsWithin } from '../waiting.ts'

const CUT_OFF_WITHIN_MS = 500

/**
 * Closes a worker once its jobs have ended. Where Redis does not answer it is cut off after `withinMs`: it would wait for
 * replies as long as its client does, which is for ever, and another process takes over what it had.
 */
export async function closeWorker(worker: Worker, client: RedisClient, withinMs: number): Promise<void> {
  const closed = worker.close()
  if (await endsWithin(withinMs, closed)) return
  client.disconnect()
  await endsWithin(CUT_OFF_WITHIN_MS, closed)
}
