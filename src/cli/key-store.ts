import { existsSync } from 'node:fs'
import { homedir, hostname, userInfo } from 'node:os'
import { resolve } from 'node:path'
import type { CommandChange } from '../app/audit-log.ts'
import type { Log } from '../core/rounds/round-ports.ts'
import type { KeysNote } from '../embedded/keys-note.ts'
import { GoneError } from '../errors.ts'
import type { RedisKeys } from '../store/redis-api-keys.ts'
import type { RedisKeyUses } from '../store/redis-key-uses.ts'
import type { RedisSessions } from '../store/redis-sessions.ts'

/** What a command does with the keys, and where they are. */
export type Run<T> = (store: {
  readonly keys: RedisKeys
  readonly uses: RedisKeyUses
  readonly sessions: RedisSessions
  readonly note: KeysNote | undefined
  /** For a person: `the Redis at redis://redis:6379`. */
  readonly where: string
  /**
   * Makes a change that is written down first, where GONE_AUDIT_LOG says so.
   *
   * @throws GoneError `CONFIG` if it cannot be written down: it is not made then
   */
  readonly audited: <Made>(
    change: Pick<CommandChange, 'command' | 'key' | 'outcome'>,
    make: () => Promise<Made>,
  ) => Promise<Made>
}) => Promise<T>

/**
 * On the Redis of REDIS_URL, or on the data of GONE_DATA_DIR or this folder's server: with its Redis where that runs, else
 * with our own.
 *
 * @throws GoneError `REDIS_NOT_FOUND` also where nothing is named and no server has been started in this folder: none
 * would know the key
 */
export async function withKeys<T>(redis: string | undefined, run: Run<T>): Promise<T> {
  const [
    { connect, disconnect },
    { RedisKeys },
    { RedisKeyUses },
    { RedisSessions },
    { KeysNote },
    { readConfig },
    { createLog },
    { whenReachable },
    { hidePassword },
    { openAuditLog },
  ] = await Promise.all([
    import('../redis/connections.ts'),
    import('../store/redis-api-keys.ts'),
    import('../store/redis-key-uses.ts'),
    import('../store/redis-sessions.ts'),
    import('../embedded/keys-note.ts'),
    import('../config.ts'),
    import('../log.ts'),
    import('../redis/readiness.ts'),
    import('../redis/redis-url.ts'),
    import('../app/audit-log.ts'),
  ])
  const config = readConfig({ ...process.env, ...(redis !== undefined && { REDIS_URL: redis }) })
  const log = createLog('gone-key', { ...config, logLevel: 'silent' }, process.env)
  const say = (line: string) => process.stderr.write(`${line}\n`)
  // Before anything is changed: what cannot be written down is not done.
  const audit = config.auditLog === undefined ? undefined : await openAuditLog(config.auditLog, noted(say))
  const shown = config.redisUrl && hidePassword(config.redisUrl)
  const embedded = config.redisUrl === undefined ? await openEmbedded(config.dataDir, say, log) : undefined
  const client = connect(config.redisUrl ?? (embedded as Embedded).target, 'commands', 'key', log)
  try {
    await whenReachable(client, shown, say)
    return await run({
      keys: new RedisKeys(client),
      uses: new RedisKeyUses(client),
      sessions: new RedisSessions(client),
      note: config.redisUrl === undefined ? new KeysNote(config.dataDir) : undefined,
      async audited(change, make) {
        const line = { ...change, user: userInfo().username, host: hostname() }
        await audit?.write(line)
        try {
          return await make()
        } catch (error) {
          audit?.note({ ...line, outcome: `perhaps not done: ${String(error)}` })
          throw error
        }
      },
      where: `the Redis ${shown === undefined ? `of ${resolve(config.dataDir)}` : `at ${shown}`}`,
    })
  } finally {
    await disconnect(client)
    await embedded?.stop()
    await audit?.stop()
  }
}

/** What goes wrong with the audit log is said to the person. */
function noted(say: (line: string) => void): Log {
  const tell = (fields: object, message: string) => say(`${message}: ${JSON.stringify(fields)}`)
  return { debug: () => {}, info: () => {}, warn: tell, error: tell }
}

interface Embedded {
  readonly target: { readonly path: string } | { readonly host: string; readonly port: number }
  stop(): Promise<void>
}

async function openEmbedded(
  dataDir: string,
  say: (line: string) => void,
  log: import('pino').Logger,
): Promise<Embedded> {
  const [{ startEmbeddedRedis }, { defaultCacheDir, findRedisServer }, { lockFileIn, redisIn }] =
    await Promise.all([
      import('../embedded/embedded-redis.ts'),
      import('../embedded/redis-server.ts'),
      import('../embedded/data-folder.ts'),
    ])
  const running = await redisIn(dataDir)
  if (running) return { target: running, stop: async () => {} }
  const { env } = process
  if (!env.GONE_DATA_DIR?.trim() && !existsSync(lockFileIn(dataDir))) throw noServer(dataDir)
  const binary = await findRedisServer({ cacheDir: defaultCacheDir(env, homedir()), env, say })
  const redis = await startEmbeddedRedis({ dataDir, binary, say, log })
  const target =
    redis.path === undefined ? { host: '127.0.0.1', port: redis.port as number } : { path: redis.path }
  return { target, stop: () => redis.stop() }
}

function noServer(dataDir: string): GoneError {
  return new GoneError(
    'REDIS_NOT_FOUND',
    'REDIS_URL: keys are in the Redis of the servers; set it, name the data folder of one with GONE_DATA_DIR, ' +
      `or start "gone serve" in this folder first (no server has kept data in ${resolve(dataDir)})`,
  )
}
