import { homedir } from 'node:os'
import type { Config } from '../config.ts'
import { type EmbeddedRedis, startEmbeddedRedis } from '../embedded/embedded-redis.ts'
import { defaultCacheDir, findRedisServer } from '../embedded/redis-server.ts'
import type { RedisTarget } from '../redis/connections.ts'
import type { Closing } from './closing.ts'
import type { Surroundings } from './lines.ts'

/** The Redis of a server. */
export interface ServerRedis {
  readonly target: RedisTarget
  /** Missing: it is the user's. */
  readonly embedded?: EmbeddedRedis
}

/** REDIS_URL, or a Redis that is started for this server. */
export async function redisOfServer(
  config: Config,
  env: NodeJS.ProcessEnv,
  { log, say }: Surroundings,
  closing: Closing,
): Promise<ServerRedis> {
  if (config.redisUrl !== undefined) return { target: config.redisUrl }
  const binary = await findRedisServer({ cacheDir: defaultCacheDir(env, homedir()), env, say })
  const embedded = await startEmbeddedRedis({ dataDir: config.dataDir, binary, say, log })
  closing.add('redis', () => embedded.stop())
  const { path, port } = embedded
  return { target: path === undefined ? { host: '127.0.0.1', port: port as number } : { path }, embedded }
}
