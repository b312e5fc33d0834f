import { chmod, mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { GoneError } from '../errors.ts'
import { callAfter, pause } from '../waiting.ts'
import {
  ask,
  type Reached,
  type Readiness,
  type RedisAddress,
  type RedisChild,
  reachedAt,
} from './redis-child.ts'

/** Who has the folder: a hint for people and for machines without file locks. The lock on this very file decides. */
interface Holder {
  readonly ownerPid: number
  readonly redisPid: number
  readonly address: RedisAddress
}

interface Attempt {
  readonly child: RedisChild
  readonly readiness: Exclude<Readiness, { kind: 'locked' }>
}

const LOG_BYTES = 1_000_000

// An orphan of a killed parent ends within 5 s.
const ORPHAN_MS = 7_000
const LIVE_HOLDER_MS = 1_000

// From here on a person wonders.
const SLOW_MS = 2_000

export const lockFileIn = (dataDir: string) => join(dataDir, 'redis.lock')
export const socketIn = (dataDir: string) => resolve(dataDir, 'redis.sock')
export const logFileIn = (dataDir: string) => join(dataDir, 'redis.log')

/** @throws GoneError `CONFIG` if the folder cannot be made or written, or others may enter it and it is not ours to close */
export async function prepareDataFolder(dataDir: string, say: (line: string) => void): Promise<void> {
  try {
    await makeFolder(dataDir)
    await closeToOthers(dataDir, say)
    // Opened for writing, so that a folder one may not write to is found here and with its name.
    await writeFile(lockFileIn(dataDir), '', { flag: 'a', mode: 0o600 })
    const { size } = await stat(logFileIn(dataDir)).catch(() => ({ size: 0 }))
    if (size > LOG_BYTES) await rename(logFileIn(dataDir), `${logFileIn(dataDir)}.old`)
  } catch (cause) {
    if (cause instanceof GoneError) throw cause
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new GoneError('CONFIG', `cannot use the data folder ${dataDir}: ${why}`, { cause })
  }
}

/** Node's own `recursive` never ends where the parent is there and takes no folder, as in /proc. */
async function makeFolder(path: string): Promise<void> {
  if (await isFolder(path)) return
  const parent = dirname(resolve(path))
  if (parent !== path) await makeFolder(parent)
  try {
    await mkdir(path, { mode: 0o700 })
  } catch (error) {
    // Another server may have made it meanwhile.
    if (!(await isFolder(path))) throw error
  }
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() === true
}

/** What a folder has in it that is ours: closing it takes nothing from anybody. */
const OURS = /^(redis\.(lock|log|log\.old|sock)|keys-in-use|appendonlydir|appendonly\.aof|dump\.rdb|temp-.*)$/

/** Who could enter could read the data. A folder that holds other things too, or is another user's, is not for us to close. */
async function closeToOthers(dataDir: string, say: (line: string) => void): Promise<void> {
  const { mode, uid } = await stat(dataDir)
  if (process.platform === 'win32' || (mode & 0o077) === 0) return
  const shown = `${dataDir} (mode ${(mode & 0o777).toString(8)})`
  const isOurs = uid === process.getuid?.() && (await readdir(dataDir)).every((name) => OURS.test(name))
  if (!isOurs)
    throw new GoneError(
      'CONFIG',
      `GONE_DATA_DIR: others may enter ${shown} and could read the data there: ` +
        `close it with "chmod 700", or name a folder in it that is for gone alone, such as ${join(dataDir, 'gone')}`,
    )
  await chmod(dataDir, 0o700)
  say(`closed the data folder ${shown} to others`)
}

/** Which folder is at the path now: another one of the same name is another text. Empty where there is none. */
export async function folderIdentity(dataDir: string): Promise<string> {
  try {
    const { dev, ino } = await stat(dataDir, { bigint: true })
    return `${dev}:${ino}`
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return ''
    throw error
  }
}

/**
 * Launches once no other server has the folder. The one of a parent that was killed is waited for; one whose parent
 * lives is not.
 *
 * The server itself takes the lock, with flock(1) or else perl. Where there is neither (Windows), servers that start
 * in the same moment are not told apart, only one that runs already is seen.
 *
 * @throws GoneError `DATA_DIR_IN_USE`
 */
export async function launchWhenFree(
  dataDir: string,
  launch: () => RedisChild,
  say: (line: string) => void,
): Promise<Attempt> {
  const startedMs = performance.now()
  let hasSaid = false
  while (true) {
    const holder = await readHolder(dataDir)
    if (!(await answers(holder))) {
      const child = launch()
      const callOff = callAfter(SLOW_MS, () => say(`waiting for Redis to load ${dataDir}`))
      const readiness = await child.ready((percent) => say(`Redis has loaded ${percent}% of ${dataDir}`))
      callOff()
      if (readiness.kind !== 'locked') return { child, readiness }
    }
    const isOrphaned = holder !== undefined && !isAlive(holder.ownerPid)
    if (performance.now() - startedMs > (isOrphaned ? ORPHAN_MS : LIVE_HOLDER_MS))
      throw inUse(dataDir, holder)
    if (!hasSaid) say(`another Redis has ${dataDir}: waiting for it to end`)
    hasSaid = true
    // The end of a process that is not our child cannot be awaited.
    await pause(100)
  }
}

/** To be called by the process that has the lock. */
export async function noteHolder(dataDir: string, redisPid: number, address: RedisAddress): Promise<void> {
  const holder: Holder = { ownerPid: process.pid, redisPid, address }
  try {
    // Written in place: a rename would leave the lock on a file that nobody sees.
    await writeFile(lockFileIn(dataDir), `${JSON.stringify(holder)}\n`)
  } catch {
    // A full disk. It is a hint, and a running server is worth more.
  }
}

/** Where the Redis of a folder answers; undefined where none does: a socket may be left of one, or be elsewhere. */
export async function redisIn(dataDir: string): Promise<Reached | undefined> {
  const holder = await readHolder(dataDir)
  if (holder === undefined) return undefined
  // The folder may be mounted here under another name.
  for (const address of [{ path: socketIn(dataDir) }, holder.address])
    if (await answers({ ...holder, address })) return reachedAt(address)
  return undefined
}

async function readHolder(dataDir: string): Promise<Holder | undefined> {
  try {
    return JSON.parse(await readFile(lockFileIn(dataDir), 'utf8')) as Holder
  } catch {
    // Never held, or being written.
    return undefined
  }
}

async function answers(holder: Holder | undefined): Promise<boolean> {
  if (holder === undefined) return false
  const state = await ask(holder.address, holder.redisPid)
  return state === 'ready' || typeof state === 'object'
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function inUse(dataDir: string, holder: Holder | undefined): GoneError {
  const who = holder === undefined ? 'another server' : `another server (pid ${holder.ownerPid})`
  const remedy = 'stop it, or name another folder with GONE_DATA_DIR, or share one Redis with REDIS_URL'
  return new GoneError('DATA_DIR_IN_USE', `${who} uses ${dataDir}: ${remedy}`)
}
