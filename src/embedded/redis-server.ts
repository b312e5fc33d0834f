import { execFile } from 'node:child_process'
import { access, constants, mkdir, mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { basename, delimiter, dirname, isAbsolute, join } from 'node:path'
import { promisify } from 'node:util'
import { GoneError } from '../errors.ts'
import { unpackDistributionPackage } from './apt-package.ts'
import { isAllOurs, isOurs } from './own-files.ts'

/** A server that can be started: `env` is what it needs on top of the environment of this process. */
export interface RedisServerBinary {
  readonly path: string
  readonly env: Record<string, string>
}

interface Search {
  /** holds what an earlier search fetched, see {@link defaultCacheDir} */
  readonly cacheDir: string
  readonly env: NodeJS.ProcessEnv
  /** shows progress to a person; called only where the search takes long */
  readonly say: (line: string) => void
}

const run = promisify(execFile)
const FETCH_MS = 180_000
const ABANDONED_MS = 10 * FETCH_MS

/**
 * A Valkey or Redis server to start: from PATH, else from the private cache, else the distribution's own package,
 * fetched into that cache without root and without installing anything (Debian and Ubuntu).
 *
 * Any number of processes may search at once, and be killed while they do: the cache holds a whole package or none.
 *
 * @throws GoneError `REDIS_NOT_FOUND` with one line that says what to do
 */
export async function findRedisServer(search: Search): Promise<RedisServerBinary> {
  const installed = (await onPath('valkey-server', search.env)) ?? (await onPath('redis-server', search.env))
  if (installed !== undefined) return { path: installed, env: {} }

  if (!(await isOurs(search.cacheDir)))
    throw notFound(
      new Error(`others may write to ${search.cacheDir}: make it yours with chown and chmod 700`),
    )
  const folder = await packageFolder(search.cacheDir)
  const cached = await usableBinary(folder, search.env)
  if (cached !== undefined) return cached
  return fetchInto(folder, search)
}

/** Where fetched servers are kept: `$XDG_CACHE_HOME/gone`, or `~/.cache/gone`. */
export function defaultCacheDir(env: NodeJS.ProcessEnv, homeDir: string): string {
  const base = env.XDG_CACHE_HOME
  // The XDG base directory specification has relative values ignored.
  return base !== undefined && isAbsolute(base) ? join(base, 'gone') : join(homeDir, '.cache', 'gone')
}

async function onPath(name: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const file = process.platform === 'win32' ? `${name}.exe` : name
  for (const folder of (env.PATH ?? '').split(delimiter).filter(isAbsolute)) {
    const path = join(folder, file)
    if (await isExecutable(path)) return path
  }
  return undefined
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK)
    return (await stat(path)).isFile()
  } catch {
    return false
  }
}

/** One folder a distribution: a home folder may be shared by machines whose libraries differ. */
export async function packageFolder(cacheDir: string): Promise<string> {
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '')
  const field = (name: string) => new RegExp(`^${name}="?([A-Za-z0-9._-]+)"?$`, 'm').exec(release)?.[1] ?? ''
  const parts = ['redis', field('ID'), field('VERSION_ID'), process.arch]
  return join(cacheDir, parts.filter((part) => part !== '').join('-'))
}

/** The server in an unpacked package, if it runs here, and nobody else could have put it there. */
async function usableBinary(folder: string, env: NodeJS.ProcessEnv): Promise<RedisServerBinary | undefined> {
  const path = join(folder, 'usr/bin/redis-server')
  if (!(await isExecutable(path)) || !(await isAllOurs(folder))) return undefined
  const libraries = await Promise.all([
    libraryFolders(join(folder, 'usr/lib')),
    libraryFolders(join(folder, 'lib')),
  ])
  const searched = [...libraries.flat(), env.LD_LIBRARY_PATH ?? ''].filter((entry) => entry !== '')
  const binary = { path, env: { LD_LIBRARY_PATH: searched.join(':') } }
  try {
    await run(path, ['--version'], { env: { ...env, ...binary.env }, timeout: 5_000 })
    return binary
  } catch {
    return undefined
  }
}

/** Debian keeps libraries in a folder named for the architecture, such as `usr/lib/x86_64-linux-gnu`. */
async function libraryFolders(parent: string): Promise<string[]> {
  const names = await readdir(parent).catch(() => [])
  return names.filter((name) => name.includes('-linux-')).map((name) => join(parent, name))
}

async function fetchInto(folder: string, { cacheDir, env, say }: Search): Promise<RedisServerBinary> {
  if (process.platform !== 'linux' || !(await onPath('apt-get', env)) || !(await onPath('dpkg-deb', env))) {
    throw notFound()
  }
  say(
    `no redis-server on PATH: fetching the distribution's package into ${cacheDir} (1.4 MB and the index, once)`,
  )
  try {
    await mkdir(cacheDir, { recursive: true, mode: 0o700 })
    await removeAbandoned(folder)
    const draft = await mkdtemp(`${folder}.fetch-`)
    try {
      const unpacked = await unpackDistributionPackage(draft, { env, signal: AbortSignal.timeout(FETCH_MS) })
      if ((await usableBinary(unpacked, env)) === undefined) throw new Error('the server does not run here')
      await moveIntoPlace(unpacked, folder, env)
    } finally {
      await rm(draft, { recursive: true, force: true })
    }
  } catch (cause) {
    throw notFound(cause)
  }
  const fetched = await usableBinary(folder, env)
  if (fetched === undefined) throw notFound(new Error(`${folder} was removed meanwhile`))
  return fetched
}

/** A rename is atomic, and fails where another process was first: then theirs is as good as ours. */
async function moveIntoPlace(unpacked: string, folder: string, env: NodeJS.ProcessEnv): Promise<void> {
  try {
    // Only what does not run is moved away: a server may be starting from the folder at this moment.
    if ((await usableBinary(folder, env)) === undefined) await rename(folder, `${unpacked}-replaced`)
  } catch {
    // There was nothing to move away.
  }
  try {
    await rename(unpacked, folder)
  } catch (error) {
    if ((await usableBinary(folder, env)) === undefined) throw error
  }
}

/** Drafts of processes that were killed while they fetched. */
async function removeAbandoned(folder: string): Promise<void> {
  for (const name of await readdir(dirname(folder))) {
    if (!name.startsWith(`${basename(folder)}.fetch-`)) continue
    const draft = join(dirname(folder), name)
    const { mtimeMs } = await stat(draft).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY }))
    if (Date.now() - mtimeMs > ABANDONED_MS) await rm(draft, { recursive: true, force: true })
  }
}

function notFound(cause?: unknown): GoneError {
  const why =
    cause instanceof Error ? ` (the distribution's package could not be fetched: ${cause.message})` : ''
  const remedy =
    'run `brew install valkey` or `apt-get install redis-server` or `docker compose up`, or set REDIS_URL'
  return new GoneError('REDIS_NOT_FOUND', `no valkey-server or redis-server on PATH: ${remedy}${why}`, {
    cause,
  })
}
