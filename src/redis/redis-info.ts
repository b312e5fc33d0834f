import type { RedisClient } from './connections.ts'

/** What a Redis says of itself; what it does not say is undefined. */
export interface RedisInfo {
  /** With the product, such as `Redis 7.0.15`. */
  readonly version: string | undefined
  readonly role: string | undefined
  readonly policy: string | undefined
  readonly hasAof: boolean
  /** 0: no limit. */
  readonly maxMemoryBytes: number | undefined
  readonly usedMemoryBytes: number | undefined
  /** The same for two addresses of one server. */
  readonly runId: string | undefined
}

/** Of a Cluster, one node's. */
export async function readInfo(client: RedisClient): Promise<RedisInfo> {
  const info = await client.info()
  const member = (name: string) => new RegExp(`^${name}:(.+?)\\r?$`, 'm').exec(info)?.[1]
  const version = member('valkey_version') ?? member('redis_version')
  const product = member('server_name') === 'valkey' ? 'Valkey' : 'Redis'
  return {
    version: version && `${product} ${version}`,
    role: member('role'),
    policy: member('maxmemory_policy'),
    hasAof: member('aof_enabled') === '1',
    maxMemoryBytes: numberOf(member('maxmemory')),
    usedMemoryBytes: numberOf(member('used_memory')),
    runId: member('run_id'),
  }
}

function numberOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text)
}
