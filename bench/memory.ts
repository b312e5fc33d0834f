import { Queue } from 'bullmq'
import { Redis } from 'ioredis'
import { ROUNDS_QUEUE } from '../src/core/rounds/job.ts'
import { QUEUE_PREFIX } from '../src/queue/queue-keys.ts'
import { pause } from '../src/waiting.ts'
import type { Figure } from './figures.ts'
import { load } from './load.ts'
import type { GoneUnderTest, Processes } from './processes.ts'

const ROUNDS = 20_000
/** Fills what has a bound of its own, such as the queue's 10,000 events, one a round, so that it is not counted for the rounds. */
const WARM_UP_ROUNDS = 11_000
const SETTLE_WITHIN_MS = 60_000
const SETTLE_EVERY_MS = 250
/** Memory counts as settled once it has not moved by more than this, three looks in a row. */
const STILL_BYTES = 4_096

/**
 * What a round takes in Redis: while it is led, completed with its job, and once the board no longer keeps the job; what it adds
 * to the AOF, and what of that is left once it is written anew.
 */
export async function measureMemory(processes: Processes, say: (line: string) => void): Promise<Figure[]> {
  say(`memory: electing and completing ${WARM_UP_ROUNDS} + ${ROUNDS} rounds`)
  const gone = await processes.startGone()
  const client = new Redis({ path: gone.redis, maxRetriesPerRequest: 1 })
  client.on('error', () => undefined)
  const queue = new Queue(ROUNDS_QUEUE, { connection: client, prefix: QUEUE_PREFIX, skipVersionCheck: true })
  try {
    await each('elect', gone, 0, WARM_UP_ROUNDS)
    await each('complete', gone, 0, WARM_UP_ROUNDS)
    await settleJobs(queue, WARM_UP_ROUNDS)
    await queue.clean(0, WARM_UP_ROUNDS, 'completed')
    await client.config('SET', 'auto-aof-rewrite-percentage', '0')
    const before = await settledBytes(client)
    const [aofBase, aofBefore] = [await rewrittenBytes(client), await aofBytes(client)]

    await each('elect', gone, WARM_UP_ROUNDS, ROUNDS)
    const led = await settledBytes(client)
    await each('complete', gone, WARM_UP_ROUNDS, ROUNDS)
    say('memory: waiting for the jobs to settle')
    await settleJobs(queue, ROUNDS)
    const withJobs = await settledBytes(client)
    const written = (await aofBytes(client)) - aofBefore
    const rewritten = (await rewrittenBytes(client)) - aofBase

    await queue.clean(0, ROUNDS, 'completed')
    await settleJobs(queue, 0)
    const withoutJobs = await settledBytes(client)
    return [
      { name: 'memoryLed', bytes: (led - before) / ROUNDS },
      { name: 'memory', bytes: (withJobs - before) / ROUNDS },
      { name: 'memoryWithoutJob', bytes: (withoutJobs - before) / ROUNDS },
      { name: 'aofWritten', bytes: written / ROUNDS },
      { name: 'aofRewritten', bytes: rewritten / ROUNDS },
    ]
  } finally {
    await queue.close()
    client.disconnect()
    await processes.stop()
  }
}

const STATUSES = { elect: 202, complete: 200 } as const

/** Elects, or completes on other connections: as a cron line does, which calls `curl` twice. */
async function each(
  verb: keyof typeof STATUSES,
  { url }: GoneUnderTest,
  from: number,
  count: number,
): Promise<void> {
  let next = from
  const nextPath = () => (next < from + count ? `/api/v1/${verb}/cleaner/${minuteSlot(next++)}` : undefined)
  const status = STATUSES[verb]
  await load({ url, connections: 32, durationMs: Number.POSITIVE_INFINITY, status, nextPath })
}

/** A name as a cron job has it: `2026-01-18T03-15`. */
function minuteSlot(minute: number): string {
  return new Date(Date.UTC(2026, 0, 1) + minute * 60_000).toISOString().slice(0, 16).replace(':', '-')
}

async function settleJobs(queue: Queue, completed: number): Promise<void> {
  const startedMs = performance.now()
  for (;;) {
    const counts = await queue.getJobCounts('waiting', 'active', 'delayed', 'failed', 'completed')
    const others = Object.entries(counts).reduce(
      (sum, [state, count]) => (state === 'completed' ? sum : sum + count),
      0,
    )
    if (others === 0 && counts.completed === completed) return
    if (performance.now() - startedMs > SETTLE_WITHIN_MS) {
      throw new Error(`expected ${completed} completed jobs and no others, got ${JSON.stringify(counts)}`)
    }
    await pause(SETTLE_EVERY_MS)
  }
}

/** What Redis uses once that does not move any more. */
export async function settledBytes(client: Redis): Promise<number> {
  const startedMs = performance.now()
  let last = await usedBytes(client)
  for (let still = 0; still < 3; ) {
    if (performance.now() - startedMs > SETTLE_WITHIN_MS)
      throw new Error('the memory of Redis does not settle')
    await pause(SETTLE_EVERY_MS)
    const bytes = await usedBytes(client)
    still = Math.abs(bytes - last) <= STILL_BYTES ? still + 1 : 0
    last = bytes
  }
  return last
}

const usedBytes = (client: Redis) => numberIn(client, 'memory', 'used_memory')
const aofBytes = (client: Redis) => numberIn(client, 'persistence', 'aof_current_size')

/** What the AOF is right after it was written anew. */
async function rewrittenBytes(client: Redis): Promise<number> {
  await client.bgrewriteaof()
  const startedMs = performance.now()
  do {
    if (performance.now() - startedMs > SETTLE_WITHIN_MS) throw new Error('the AOF is not written anew')
    await pause(SETTLE_EVERY_MS)
  } while ((await numberIn(client, 'persistence', 'aof_rewrite_in_progress')) === 1)
  return numberIn(client, 'persistence', 'aof_base_size')
}

async function numberIn(client: Redis, section: string, name: string): Promise<number> {
  const text = new RegExp(`^${name}:(\\d+)`, 'm').exec(await client.info(section))?.[1]
  if (text === undefined) throw new Error(`INFO ${section}: expected ${name}`)
  return Number(text)
}
