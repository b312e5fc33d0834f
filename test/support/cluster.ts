import { startRedis, type TestRedis } from './redis.ts'
import { CLUSTER_NODE, formCluster, redisCli } from './redis-forms.ts'

export interface TestCluster {
  readonly nodes: readonly TestRedis[]
  /** The first node, under the address of all. */
  readonly redis: TestRedis
  stop(): Promise<void>
}

/** A real Cluster of three for a test. */
export async function startCluster(): Promise<TestCluster> {
  const nodes = await Promise.all([1, 2, 3].map(() => startRedis({ args: CLUSTER_NODE })))
  const url = `redis+cluster://${await formCluster(nodes.map(({ port }) => port))}`
  return {
    nodes,
    redis: { ...(nodes[0] as TestRedis), url },
    stop: async () => void (await Promise.all(nodes.map((node) => node.stop()))),
  }
}

/** The keys that each node has. */
export function keysOnNodes({ nodes }: TestCluster, pattern = '*'): Promise<readonly (readonly string[])[]> {
  return Promise.all(
    nodes.map(async ({ port }) =>
      (await redisCli(['-p', String(port), 'keys', pattern])).split('\n').filter((key) => key !== ''),
    ),
  )
}
