import type { Config } from '../config.ts'
import type { Log } from '../core/rounds/round-ports.ts'
import { oldJobsText } from '../queue/old-jobs-watch.ts'
import { type OldQueue, OldQueues } from '../queue/old-queues.ts'
import { connect, disconnect, isOneServer, type RedisClient } from '../redis/connections.ts'
import { whenReachable } from '../redis/readiness.ts'
import { hidePassword, redisAddress } from '../redis/redis-url.ts'

export type { OldQueue }

/** What became of a queue: how many jobs are where they belong, and what is left where an older build kept them. */
export interface AdoptedQueue {
  readonly name: string
  readonly moved: number
  readonly left: { readonly pending: number; readonly active: number; readonly ended: number }
}

const NOTHING = { pending: 0, active: 0, ended: 0 }

/** What is to be said of jobs where older builds kept them in a Cluster; undefined where there are none. */
export async function oldJobsIn(client: RedisClient): Promise<string | undefined> {
  return oldJobsText(await new OldQueues(client).look())
}

/** What `gone queues adopt` works with. */
export interface OldJobs {
  /** Where queues were kept in one slot; false where Redis is no Cluster: then there is nothing to move. */
  readonly isCluster: boolean
  /** Queues in which anything is there. */
  look(names: readonly string[]): Promise<readonly OldQueue[]>
  /** Moves what is in these. @param moved told of each lot */
  adopt(queues: readonly OldQueue[], moved: (jobs: number) => void): Promise<readonly AdoptedQueue[]>
}

/**
 * On the Redis of `REDIS_URL`. An embedded one is no Cluster.
 *
 * @throws GoneError `REDIS_NOT_FOUND`
 */
export async function withOldJobs<T>(
  { redisUrl }: Config,
  { log, say }: { readonly log: Log; readonly say: (line: string) => void },
  run: (old: OldJobs) => Promise<T>,
): Promise<T> {
  if (redisUrl === undefined || redisAddress(redisUrl).kind !== 'cluster')
    return run({ isCluster: false, look: async () => [], adopt: async () => [] })
  const client = connect(redisUrl, 'commands', 'adopt', log)
  try {
    await whenReachable(client, hidePassword(redisUrl), say)
    const queues = new OldQueues(client)
    return await run({
      isCluster: !isOneServer(client),
      look: (names) => queues.look(names),
      adopt: (found, moved) => adoptAll(queues, found, moved),
    })
  } finally {
    await disconnect(client)
  }
}

async function adoptAll(
  queues: OldQueues,
  found: readonly OldQueue[],
  moved: (jobs: number) => void,
): Promise<readonly AdoptedQueue[]> {
  const adopted: AdoptedQueue[] = []
  for (const { name } of found) {
    let sum = 0
    const left = await queues.adopt(name, (jobs) => {
      sum += jobs
      moved(jobs)
    })
    const { pending, active, ended } = left ?? NOTHING
    adopted.push({ name, moved: sum, left: { pending, active, ended } })
  }
  await queues.removeWakes()
  return adopted
}
