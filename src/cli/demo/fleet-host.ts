import { join } from 'node:path'
import { limitsIn } from '../work-limits.ts'
import { liveAsChild } from './child.ts'
import { HOST_LIMITS, type Orders, RELEASES } from './protocol.ts'

// One of two hosts of a fleet: a supervisor that runs what the demo's pool has it run. Its instances end with it.

const [, , dataDir = '', host = ''] = process.argv
const SHUTDOWN = '2s'

liveAsChild(dataDir, (orders) => void begin(orders))

async function begin({ redisUrl }: Orders): Promise<void> {
  const [{ workSetup }, { supervise }] = await Promise.all([
    import('../run-workers.ts'),
    import('../supervise.ts'),
  ])
  const { GONE_URL: _, ...own } = process.env
  const env: NodeJS.ProcessEnv = {
    ...own,
    GONE_DATA_DIR: dataDir,
    GONE_LOG_LEVEL: 'silent',
    GONE_HOST_LABEL: host,
    GONE_SHUTDOWN: SHUTDOWN,
    ...(redisUrl !== undefined && { REDIS_URL: redisUrl }),
  }
  await supervise({}, env, await workSetup(env), {
    instances: 0,
    pools: HOST_LIMITS.most,
    releases: join(dataDir, RELEASES),
    ...limitsIn({ memory: HOST_LIMITS.memoryBytes, hung: HOST_LIMITS.hungMs }),
  })
}
