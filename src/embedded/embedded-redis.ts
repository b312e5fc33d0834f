import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Log } from '../core/rounds/round-ports.ts'
import { GoneError } from '../errors.ts'
import {
  folderIdentity,
  launchWhenFree,
  lockFileIn,
  logFileIn,
  noteHolder,
  prepareDataFolder,
  socketIn,
} from './data-folder.ts'
import { freeLoopbackPort, type RedisAddress, type RedisChild, spawnRedis } from './redis-child.ts'
import type { RedisServerBinary } from './redis-server.ts'
import { Supervision } from './supervision.ts'

/** A Redis of our own. It has a `path` (unix socket), or a loopback `port` where there are no sockets. */
export interface EmbeddedRedis {
  readonly path?: string
  readonly port?: number
  /** of the server; another one after a crash */
  pid(): number
  /** Why it does not run now, where that is more than a crash that passes at once. */
  trouble(): string | undefined
  /** Resolves when its data folder was taken away: it is ended then, and is not started again. */
  readonly lost: Promise<void>
  /** Ends it with its data on disk, by force after 5 s. May be called twice. */
  stop(): Promise<void>
}

interface EmbeddedRedisStart {
  /** made if it is missing; keeps the data, the log `redis.log`, the lock and as a rule the socket */
  readonly dataDir: string
  readonly binary: RedisServerBinary
  readonly say: (line: string) => void
  readonly log: Log
}

interface Place {
  readonly address: RedisAddress
  /** Removes what was made for the address. */
  leave(): Promise<void>
}

interface Running extends Place {
  readonly child: RedisChild
}

type Launch = (address: RedisAddress) => RedisChild

// 104 on macOS, 108 on Linux, with the closing zero byte.
const MAX_SOCKET_PATH_BYTES = 100

// `hash-max-ziplist-value` is what Redis 6 calls it; newer ones and Valkey know the word too. A record or job with one
// field over the default of 64 bytes would take three times the memory.
const SETTINGS = [
  ['--appendonly', 'yes', '--appendfsync', 'everysec', '--save', ''],
  ['--maxmemory-policy', 'noeviction', '--hash-max-ziplist-value', '512'],
].flat()

/**
 * Starts Redis on the data in `dataDir`. It ends with this process, however that ends, and it is started again if it
 * crashes: at once 5 times a minute, then every 10 s, and that is logged as an error and told as its `trouble`.
 *
 * @throws GoneError `DATA_DIR_IN_USE` if another server has the folder; `REDIS_NOT_FOUND` with the last line of its log
 *   if it does not start; `CONFIG` if the folder cannot be made
 */
export async function startEmbeddedRedis(start: EmbeddedRedisStart): Promise<EmbeddedRedis> {
  const dataDir = resolve(start.dataDir)
  await prepareDataFolder(dataDir, start.say)
  // Before the lock: a folder that is replaced in between is noticed as one that was taken away.
  const folder = await folderIdentity(dataDir)
  const launch: Launch = (address) =>
    spawnRedis({
      binary: start.binary,
      address,
      dir: dataDir,
      logFile: logFileIn(dataDir),
      lockFile: lockFileIn(dataDir),
      args: SETTINGS,
    })
  const running = await startSomewhere(dataDir, launch, start.say)
  return supervise(running, launch, start, folder)
}

/** At the first address that the machine can do: data folders may be too long for a socket, or on a disk without any. */
async function startSomewhere(
  dataDir: string,
  launch: Launch,
  say: (line: string) => void,
): Promise<Running> {
  let reason = 'it has nowhere to listen'
  for (const findPlace of [() => ownSocket(dataDir), temporarySocket, loopbackPort]) {
    const place = await findPlace()
    if (place === undefined) continue
    try {
      const { child, readiness } = await launchWhenFree(dataDir, () => launch(place.address), say)
      if (readiness.kind === 'ready') {
        await noteHolder(dataDir, child.pid, place.address)
        return { ...place, child }
      }
      reason = readiness.reason
    } catch (error) {
      await place.leave()
      throw error
    }
    await place.leave()
    if (!/unix/i.test(reason)) break
  }
  throw new GoneError('REDIS_NOT_FOUND', `Redis does not start (see ${logFileIn(dataDir)}): ${reason}`)
}

function ownSocket(dataDir: string): Place | undefined {
  const path = socketIn(dataDir)
  // Redis removes it at its end and replaces a stale one. Not for us: it may be the next server's by then.
  return canBeSocket(path) ? { address: { path }, leave: async () => {} } : undefined
}

async function temporarySocket(): Promise<Place | undefined> {
  if (!canBeSocket(join(tmpdir(), 'gone-XXXXXX', 'redis.sock'))) return undefined
  const folder = await mkdtemp(join(tmpdir(), 'gone-'))
  return {
    address: { path: join(folder, 'redis.sock') },
    leave: () => rm(folder, { recursive: true, force: true }),
  }
}

async function loopbackPort(): Promise<Place> {
  return { address: { port: await freeLoopbackPort() }, leave: async () => {} }
}

function canBeSocket(path: string): boolean {
  return process.platform !== 'win32' && Buffer.byteLength(path) <= MAX_SOCKET_PATH_BYTES
}

function supervise(
  running: Running,
  launch: Launch,
  start: EmbeddedRedisStart,
  folder: string,
): EmbeddedRedis {
  const { address, child, leave } = running
  const { dataDir, log } = start
  const supervision = new Supervision({ dataDir: resolve(dataDir), folder, address, child, launch, log })
  let stopped: Promise<void> | undefined
  return {
    ...address,
    pid: () => supervision.pid,
    trouble: () => supervision.trouble,
    lost: supervision.lost,
    stop: () => {
      stopped ??= supervision.stop().then(leave)
      return stopped
    },
  }
}
