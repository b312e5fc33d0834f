import { type ChildProcess, execFileSync, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import {
  chmod,
  chown,
  copyFile,
  mkdir,
  mkdtemp,
  readdir,
  rename,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { type EmbeddedRedis, startEmbeddedRedis } from '../../src/embedded/embedded-redis.ts'
import {
  defaultCacheDir,
  findRedisServer,
  packageFolder,
  type RedisServerBinary,
} from '../../src/embedded/redis-server.ts'
import { runCli } from '../support/cli.ts'
import { spawnProcess } from '../support/processes.ts'
import { builtPath, LOADER } from '../support/program.ts'
import { startRedis } from '../support/redis.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

let binary: RedisServerBinary
let folder: string
let closing: (() => unknown)[]

beforeAll(async () => {
  const cacheDir = defaultCacheDir(process.env, homedir())
  binary = await findRedisServer({ cacheDir, env: process.env, say: () => {} })
}, 90_000)

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gone-test-'))
  closing = [() => rm(folder, { recursive: true, force: true })]
})

afterEach(async () => {
  vi.unstubAllEnvs()
  for (const close of closing.reverse()) await close()
})

describe('an embedded Redis', () => {
  it('answers, with its settings, only to its user', async () => {
    const { redis, client } = await start()
    expect(await client.ping()).toBe('PONG')
    const settings = await client.config('GET', 'a*', 'maxmemory-policy', 'hash-max-*-value', 'save')
    expect(pairs(settings as string[])).toMatchObject({
      appendonly: 'yes',
      appendfsync: 'everysec',
      'maxmemory-policy': 'noeviction',
      'hash-max-listpack-value': '512',
      save: '',
    })
    expect((await stat(join(folder, 'data'))).mode & 0o777).toBe(0o700)
    expect((await stat(redis.path ?? '')).mode & 0o777).toBe(0o700)
  })

  it('closes a folder of an older build, and writes nothing that others could read', async () => {
    const data = join(folder, 'data')
    await mkdir(join(data, 'appendonlydir'), { recursive: true })
    for (const path of [folder, data]) await chmod(path, 0o755)
    const first = await start()
    await first.client.set('session', 'secret')
    expect(first.lines).toContain(`closed the data folder ${data} (mode 755) to others`)
    expect((await stat(data)).mode & 0o777).toBe(0o700)
    const files = await readdir(join(data, 'appendonlydir'))
    expect(files.length).toBeGreaterThan(0)
    for (const file of files) {
      const path = join(data, 'appendonlydir', file)
      expect([file, (await stat(path)).mode & 0o077]).toEqual([file, 0])
      expect(readableByNobody(path)).toBe(false)
    }
    await first.redis.stop()
    const second = await start()
    expect(await second.client.get('session')).toBe('secret')
    expect(second.lines).not.toContain(expect.stringMatching(/^closed/))
  })

  it('refuses a folder that others may enter and that is not for it alone', async () => {
    const data = join(folder, 'data')
    await mkdir(data)
    await writeFile(join(data, 'notes.txt'), 'of somebody')
    await chmod(data, 0o755)
    await expect(start()).rejects.toThrow(
      /^GONE_DATA_DIR: others may enter \S+ \(mode 755\) and could read the data there: close it with "chmod 700", or name [^\n]*\/data\/gone$/,
    )
    expect((await stat(data)).mode & 0o777).toBe(0o755)
    expect(await readdir(data)).toEqual(['notes.txt'])
    await chmod(data, 0o700)
    expect(await (await start()).client.ping()).toBe('PONG')
  })

  it('keeps its data from stop to start', async () => {
    const first = await start()
    await first.client.set('fact', 'kept')
    await Promise.all([first.redis.stop(), first.redis.stop()])
    expect(existsSync(first.redis.path ?? '')).toBe(false)
    expect(isRunning(first.redis.pid())).toBe(false)

    const second = await start()
    expect(await second.client.get('fact')).toBe('kept')
  })

  it('is started again on its data when it crashes', async () => {
    const { redis, client, events } = await start()
    const pid = redis.pid()
    await client.set('fact', 'kept')
    process.kill(pid, 'SIGKILL')
    await vi.waitFor(() => expect(events).toContain('info embedded Redis is back'), 30_000)
    expect(events).toContain('warn embedded Redis ended, starting it again on the same data')
    expect(redis.pid()).not.toBe(pid)
    expect(await (await connect(redis)).get('fact')).toBe('kept')
    await redis.stop()
    expect(processesNaming(folder)).toEqual([])
  })

  it('is tried again, slower, after five restarts in a minute, and says so until it is back', async () => {
    const { redis, events } = await start()
    const killed = new Set<number>()
    await vi.waitFor(
      () => {
        if (!killed.has(redis.pid())) process.kill(redis.pid(), 'SIGKILL')
        killed.add(redis.pid())
        expect(redis.trouble()).toBeDefined()
      },
      { timeout: 30_000, interval: 20 },
    )
    expect(killed.size).toBe(6)
    expect(redis.trouble()).toBe(
      'the embedded Redis ended after 5 restarts in a minute (SIGKILL): it is tried again every 10 s',
    )
    expect(events).toContain(`error ${redis.trouble()}`)
    await vi.waitFor(() => expect(redis.trouble()).toBeUndefined(), { timeout: 60_000, interval: 100 })
    expect(await (await connect(redis)).ping()).toBe('PONG')
    await redis.stop()
    expect(processesNaming(folder)).toEqual([])
  }, 100_000)

  it('can be stopped while it is tried again slowly', async () => {
    const { redis } = await start()
    const killed = new Set<number>()
    await vi.waitFor(
      () => {
        if (!killed.has(redis.pid())) process.kill(redis.pid(), 'SIGKILL')
        killed.add(redis.pid())
        expect(redis.trouble()).toBeDefined()
      },
      { timeout: 30_000, interval: 20 },
    )
    await redis.stop()
    // The shell that watched it ends a moment later.
    await expect.poll(() => processesNaming(folder)).toEqual([])
  })

  it('is ended by force when it does not end', async () => {
    const { redis } = await start()
    process.kill(redis.pid(), 'SIGSTOP')
    await redis.stop()
    expect(isRunning(redis.pid())).toBe(false)
  })

  it('can be stopped while it is being started again', async () => {
    const { redis } = await start()
    process.kill(redis.pid(), 'SIGKILL')
    await redis.stop()
    expect(processesNaming(folder)).toEqual([])
  })

  it.runIf(process.platform === 'linux')('refuses a folder that cannot be made, in one line', async () => {
    const run = await runCli(['serve', '--port', '0', '--data-dir', '/proc/none/deeper'])
    expect([run.code, run.stdout]).toEqual([2, ''])
    // Where there is no Redis it is fetched first, and that is said.
    expect(run.stderr.trim().split('\n').at(-1)).toMatch(
      /^gone: cannot use the data folder \/proc\/none\/deeper: /,
    )
  })

  it('makes the folders above its own, and lets nobody into them', async () => {
    const data = join(folder, 'some', 'where')
    await start({ dataDir: data })
    for (const made of [data, join(folder, 'some')]) expect((await stat(made)).mode & 0o777).toBe(0o700)
  })

  it('has as long as it takes to load its data, and says how far it is', async () => {
    const path = join(folder, 'slow-redis')
    const script = `#!${process.execPath}
      const server = require('node:net').createServer((socket) => {
        const [first, loaded] = performance.now() < 8_000 ? ['-LOADING', 42.17] : ['+PONG', 100]
        socket.end([first, 'process_id:' + process.pid, 'loading_loaded_perc:' + loaded, ''].join('\\r\\n'))
      })
      server.listen(process.argv[process.argv.indexOf('--unixsocket') + 1])`
    await writeFile(path, script, { mode: 0o755 })
    // From when it is seen to load on, a second is twenty.
    const now = performance.now.bind(performance)
    let fastFromMs = Number.POSITIVE_INFINITY
    const clock = vi.spyOn(performance, 'now')
    closing.push(() => clock.mockRestore())
    clock.mockImplementation(() => now() + 19 * Math.max(0, now() - fastFromMs))
    const lines: string[] = []
    const say = (line: string) => {
      lines.push(line)
      fastFromMs = Math.min(fastFromMs, now())
    }
    const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
    const dataDir = join(folder, 'data')
    const redis = await startEmbeddedRedis({ dataDir, binary: { path, env: {} }, say, log })
    closing.push(redis.stop)
    expect(lines[0]).toBe(`waiting for Redis to load ${dataDir}`)
    expect(lines.at(-1)).toBe(`Redis has loaded 42.17% of ${dataDir}`)
    expect(lines.length).toBeGreaterThan(5)
  })

  it('says why it does not start', async () => {
    await mkdir(join(folder, 'data/appendonlydir'), { recursive: true })
    await writeFile(join(folder, 'data/appendonlydir/appendonly.aof.manifest'), 'nonsense\n')
    await expect(start()).rejects.toMatchObject({
      code: 'REDIS_NOT_FOUND',
      message: expect.stringMatching(/^Redis does not start \(see .*redis\.log\): .*AOF/i),
    })
    await expect(start({ binary: { path: '/nonexistent/redis', env: {} } })).rejects.toMatchObject({
      code: 'REDIS_NOT_FOUND',
      message: expect.stringContaining('/nonexistent/redis'),
    })
    await writeFile(join(folder, 'file'), '')
    await expect(start({ dataDir: join(folder, 'file/data') })).rejects.toMatchObject({
      code: 'CONFIG',
      message: expect.stringContaining(join(folder, 'file/data')),
    })
  })
})

describe('where there is no room for a socket in the data folder', () => {
  it('has its socket in a short private folder when the path is long', async () => {
    const { redis, client } = await start({ dataDir: join(folder, 'long'.repeat(40)) })
    expect(await client.ping()).toBe('PONG')
    expect(redis.path?.length).toBeLessThan(100)
    const privateFolder = join(redis.path ?? '', '..')
    expect((await stat(privateFolder)).mode & 0o777).toBe(0o700)
    await redis.stop()
    expect(existsSync(privateFolder)).toBe(false)
  })

  it('has its socket elsewhere when the disk of the data has none', async () => {
    // A folder in the socket's place fails like a disk that knows no sockets: at bind.
    await mkdir(join(folder, 'data/redis.sock/in-the-way'), { recursive: true })
    const { redis, client } = await start()
    expect(await client.ping()).toBe('PONG')
    expect(redis.path).not.toContain(folder)
  })

  it('takes a loopback port when temporary paths are long too', async () => {
    vi.stubEnv('TMPDIR', join(folder, 'long'.repeat(40)))
    const { redis, client } = await start({ dataDir: join(folder, 'long'.repeat(40)) })
    expect(await client.ping()).toBe('PONG')
    expect(redis).toMatchObject({ port: expect.any(Number) })
    expect(redis.path).toBeUndefined()
  })
})

describe('one data folder', () => {
  it('has one server: a second one is refused by name and pid', async () => {
    const { client } = await start()
    await expect(start()).rejects.toMatchObject({
      code: 'DATA_DIR_IN_USE',
      message: expect.stringMatching(
        `another server \\(pid ${process.pid}\\) uses ${join(folder, 'data')}: stop it`,
      ),
    })
    expect(await client.ping()).toBe('PONG')
  })

  it('goes to exactly one of many that start at once, every time', async () => {
    for (let round = 0; round < 5; round++) {
      const starts = await Promise.allSettled(Array.from({ length: 6 }, () => start()))
      const won = starts.filter((result) => result.status === 'fulfilled')
      const lost = starts.filter((result) => result.status === 'rejected')
      expect(lost.map(({ reason }) => reason.code)).toEqual(Array(5).fill('DATA_DIR_IN_USE'))
      expect(await won[0]?.value.client.ping()).toBe('PONG')
      await won[0]?.value.redis.stop()
    }
  })

  it('passes on at once: a start right after a stop finds the new server, every time', async () => {
    for (let turn = 0; turn < 5; turn++) {
      const { redis } = await start()
      const [, next] = await Promise.all([redis.stop(), start()])
      expect(await next.client.incr('turns')).toBe(turn + 1)
      await next.redis.stop()
    }
  })

  it('is not blocked by what a killed server left, whoever has its pid now', async () => {
    const { redis, client } = await start()
    await client.set('fact', 'kept')
    const path = redis.path ?? ''
    await redis.stop()
    await writeFile(path, '')
    const left = { ownerPid: process.pid, redisPid: process.pid, address: { path } }
    await writeFile(join(folder, 'data/redis.lock'), JSON.stringify(left))

    expect(await (await start()).client.get('fact')).toBe('kept')
  })

  it('has one server also where somebody removes its lock, which then tells of it again', async () => {
    const { client } = await start()
    const lock = join(folder, 'data/redis.lock')
    for (let turn = 0; turn < 3; turn++) {
      await rm(lock)
      await expect(start()).rejects.toMatchObject({ code: 'DATA_DIR_IN_USE' })
    }
    await rm(lock)
    await vi.waitFor(async () => expect((await stat(lock)).size).toBeGreaterThan(0), 30_000)
    await expect(start()).rejects.toThrow(`another server (pid ${process.pid}) uses`)
    expect(await client.ping()).toBe('PONG')
  })

  it('has one server where perl has to stand in for flock and somebody removes its lock', async () => {
    const PATH = await binFolder('bin', ['sleep', 'perl'])
    await startParent({ PATH })
    await rm(join(folder, 'data/redis.lock'))
    await expect(startParent({ PATH })).rejects.toThrow('DATA_DIR_IN_USE')
  })

  it.each(['removed', 'moved away', 'replaced'])(
    'ends its server when it is %s',
    async (how) => {
      const { redis, client, events } = await start()
      const { pid } = redis
      await client.set('fact', 'kept')
      const data = join(folder, 'data')
      if (how === 'removed') await rm(data, { recursive: true })
      else await rename(data, join(folder, 'elsewhere'))
      if (how === 'replaced') await mkdir(data)
      await redis.lost
      expect(events).toContain(
        'error the data folder was taken away under the embedded Redis, which is ended',
      )
      await vi.waitFor(() => expect(isRunning(pid())).toBe(false), 30_000)
      const next = await start()
      expect(await next.client.get('fact')).toBeNull()
      await redis.stop()
      expect(await next.client.ping()).toBe('PONG')
    },
    30_000,
  )

  it('goes to exactly one where perl has to stand in for flock', async () => {
    const PATH = await binFolder('bin', ['sleep', 'perl'])
    const starts = await Promise.allSettled([startParent({ PATH }), startParent({ PATH })])
    expect(starts.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    expect(starts.find(({ status }) => status === 'rejected')).toMatchObject({
      reason: { message: 'DATA_DIR_IN_USE' },
    })
  })

  it('is refused while its server runs where there are no file locks at all', async () => {
    const PATH = await binFolder('bin', ['sleep'])
    await startParent({ PATH })
    await expect(startParent({ PATH })).rejects.toThrow('DATA_DIR_IN_USE')
  })
})

describe('the process that started it', () => {
  it('takes it along when it is killed, and the next start has the data', async () => {
    const parent = await startParent()
    const client = await connect(parent)
    await client.set('fact', 'kept')
    parent.process.kill('SIGKILL')
    const next = await start()
    expect(await next.client.get('fact')).toBe('kept')
    expect(isRunning(parent.pid)).toBe(false)
  })

  it('takes it along by force when it hangs', async () => {
    const parent = await startParent()
    process.kill(parent.pid, 'SIGSTOP')
    parent.process.kill('SIGKILL')
    await vi.waitFor(() => expect(isRunning(parent.pid)).toBe(false), { timeout: 30_000, interval: 50 })
    await vi.waitFor(() => expect(processesNaming(folder)).toEqual([]), { timeout: 30_000, interval: 50 })
  })

  it('is alone in hearing a Ctrl-C', async () => {
    const parent = await startParent()
    process.kill(-(parent.process.pid ?? Number.NaN), 'SIGINT')
    expect(await parent.nextLine()).toBe('heard SIGINT')
    expect(await (await connect(parent)).ping()).toBe('PONG')
    expect(isRunning(parent.pid)).toBe(true)
  })

  it('ends by itself when it has nothing else to do', async () => {
    const parent = await startParent({}, 'let-go')
    await vi.waitFor(() => expect(parent.process.exitCode).toBe(0), 30_000)
    await vi.waitFor(() => expect(isRunning(parent.pid)).toBe(false), 30_000)
  })
})

describe('a search for a server', () => {
  it('prefers Valkey to Redis, and what can be run to what cannot', async () => {
    const [one, two] = [await binFolder('one', []), await binFolder('two', [])]
    await executable(join(one, 'redis-server'))
    await executable(join(two, 'valkey-server'))
    const env = { PATH: [one, two].join(delimiter) }
    expect(await search(env)).toEqual({ path: join(two, 'valkey-server'), env: {} })
    await chmod(join(two, 'valkey-server'), 0o644)
    expect(await search(env)).toEqual({ path: join(one, 'redis-server'), env: {} })
  })

  it('says in one line what to do on a machine without any', async () => {
    const error = await search({ PATH: join(folder, 'empty') }).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'REDIS_NOT_FOUND' })
    expect(String(error)).toMatch(
      /^[^\n]*`brew install valkey`[^\n]*`apt-get install redis-server`[^\n]*`docker compose up`[^\n]*REDIS_URL$/,
    )
  })

  it('adds why the package could not be fetched', async () => {
    const PATH = await binFolder('bin', [])
    await executable(join(PATH, 'dpkg-deb'))
    await executable(join(PATH, 'apt-get'), 'echo "E: no such mirror" >&2; exit 100')
    await expect(search({ PATH })).rejects.toThrow(/REDIS_URL \(.*: E: no such mirror\)$/)
    expect(await readdir(join(folder, 'cache'))).toEqual([])
  })

  it('runs nothing of its cache that others could have put there', async () => {
    const cacheDir = join(folder, 'cache')
    const unpacked = await packageFolder(cacheDir)
    const path = join(unpacked, 'usr/bin/redis-server')
    const library = join(unpacked, 'usr/lib/any-linux-gnu')
    for (const made of [join(unpacked, 'usr/bin'), library]) await mkdir(made, { recursive: true })
    await executable(path)
    await writeFile(join(library, 'libany.so'), '')
    const env = { PATH: join(folder, 'empty') }
    const all = [path, join(library, 'libany.so'), library, join(unpacked, 'usr/bin'), join(unpacked, 'usr')]
    for (const one of [...all, unpacked, cacheDir]) await chmod(one, 0o755)
    expect((await search(env)).path).toBe(path)
    for (const one of [...all, unpacked, cacheDir])
      for (const mode of [0o775, 0o757]) {
        await chmod(one, mode)
        await expect(search(env), `${one} ${mode.toString(8)}`).rejects.toMatchObject({
          code: 'REDIS_NOT_FOUND',
        })
        await chmod(one, 0o755)
      }
    if (process.getuid?.() === 0) {
      await chown(path, 65_534, 65_534)
      await expect(search(env)).rejects.toMatchObject({ code: 'REDIS_NOT_FOUND' })
      await chown(path, 0, 0)
    }
    expect((await search(env)).path).toBe(path)
  })

  it('caches under XDG_CACHE_HOME or ~/.cache', () => {
    expect(defaultCacheDir({}, '/home/ann')).toBe('/home/ann/.cache/gone')
    expect(defaultCacheDir({ XDG_CACHE_HOME: '/var/tmp/c' }, '/home/ann')).toBe('/var/tmp/c/gone')
    expect(defaultCacheDir({ XDG_CACHE_HOME: 'relative' }, '/home/ann')).toBe('/home/ann/.cache/gone')
  })
})

describe.runIf(existsSync('/usr/bin/apt-get'))('the package of the distribution', () => {
  it('is fetched by two that search at once, and found again without a word', async () => {
    const env = { PATH: await binFolderWithoutRedis() }
    const said: string[] = []
    const [one, two] = await Promise.all([search(env, said), search(env, said)])
    expect(one).toEqual(two)
    expect(said).toHaveLength(2)
    expect(await search(env, said)).toEqual(one)
    expect(said).toHaveLength(2)
    const theirs = await search({ ...env, LD_LIBRARY_PATH: '/theirs' })
    // Of the package's libraries only those are fetched that this machine lacks: none where they are installed.
    const fetched = one.env.LD_LIBRARY_PATH ? [one.env.LD_LIBRARY_PATH] : []
    expect(theirs.env.LD_LIBRARY_PATH).toBe([...fetched, '/theirs'].join(':'))
    const { client } = await start({ binary: one })
    expect(await client.ping()).toBe('PONG')
  }, 400_000)

  it('is fetched again when it does not run, and abandoned fetches are removed', async () => {
    const env = { PATH: await binFolderWithoutRedis() }
    const { path } = await search(env)
    const [name] = await readdir(join(folder, 'cache'))
    const [abandoned, current] = ['old', 'new'].map((age) => join(folder, 'cache', `${name}.fetch-${age}`))
    await mkdir(abandoned ?? '')
    await mkdir(current ?? '')
    await utimes(abandoned ?? '', 0, 0)
    await writeFile(path, 'broken')
    expect((await search(env)).path).toBe(path)
    expect((await readdir(join(folder, 'cache'))).sort()).toEqual([name, `${name}.fetch-new`])
  }, 400_000)

  it('is fetched by a user without rights', async () => {
    await chmod(folder, 0o777)
    // All that it needs where it can read it: this tree, and the Node that runs us, may be in folders of root's.
    const node = join(folder, 'node')
    await copyFile(process.execPath, node)
    await chmod(node, 0o755)
    const tsc = join(ROOT, 'node_modules/.bin/tsc')
    execFileSync(tsc, ['-p', join(ROOT, 'tsconfig.build.json'), '--outDir', join(folder, 'out')])
    await writeFile(join(folder, 'package.json'), '{"type":"module"}')
    const script = join(folder, 'find.js')
    await writeFile(
      script,
      `import { findRedisServer } from './out/src/embedded/redis-server.js'
        const { CACHE: cacheDir, PATH } = process.env
        console.log(JSON.stringify(await findRedisServer({ cacheDir, env: { PATH }, say: console.error })))`,
    )
    const PATH = await binFolderWithoutRedis()
    const CACHE = join(folder, 'cache')
    // Who is not root has no rights to give up.
    const nobody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}
    const options = { cwd: folder, ...nobody, env: { PATH, CACHE }, timeout: 200_000 }
    const found = execFileSync(node, [script], { ...options, stdio: 'pipe' })
    expect(JSON.parse(String(found)).path).toContain(CACHE)
  }, 400_000)
})

describe('a Redis for tests', () => {
  it('can be killed, paused and started again with its data, and leaves nothing', async () => {
    const redis = await startRedis({ aof: 'always' })
    closing.push(redis.stop)
    const client = closeLater(new Redis(redis.url))
    await client.set('fact', 'kept')
    const { pid } = redis
    await redis.kill()
    expect(isRunning(pid)).toBe(false)
    await redis.restart()
    expect(redis.pid).not.toBe(pid)
    expect(await client.get('fact')).toBe('kept')
    redis.pause()
    await redis.stop()
    expect(existsSync(redis.dir)).toBe(false)
    // What ends it with its parent ends behind it.
    await expect.poll(() => processesNaming(redis.dir)).toEqual([])
  })
})

async function start(options: { binary?: RedisServerBinary; dataDir?: string } = {}) {
  const events: string[] = []
  const lines: string[] = []
  const note = (level: string) => (_fields: object, message: string) => events.push(`${level} ${message}`)
  const log = { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') }
  const redis = await startEmbeddedRedis({
    dataDir: join(folder, 'data'),
    binary,
    say: (line) => lines.push(line),
    log,
    ...options,
  })
  closing.push(redis.stop)
  return { redis, events, lines, client: await connect(redis) }
}

/** Whether a user who is nobody can read the file. Only root can be nobody: elsewhere its mode has to say it. */
function readableByNobody(path: string): boolean {
  if (process.getuid?.() !== 0) return false
  const words = ['--reuid=65534', '--regid=65534', '--clear-groups', 'cat', path]
  return spawnSync('setpriv', words, { stdio: 'ignore' }).status === 0
}

async function connect(redis: Pick<EmbeddedRedis, 'path' | 'port'>): Promise<Redis> {
  const { path, port } = redis
  return closeLater(new Redis(path === undefined ? { port: port ?? 0, host: '127.0.0.1' } : { path }))
}

function closeLater(client: Redis): Redis {
  // Its server is killed on purpose.
  client.on('error', () => {})
  closing.push(() => client.disconnect())
  return client
}

interface Parent {
  readonly process: ChildProcess
  readonly path: string
  readonly pid: number
  nextLine(): Promise<string>
}

/** A process of its own group that starts an embedded Redis and then waits, or has nothing to do. */
async function startParent(
  env: Readonly<Record<string, string>> = {},
  then: 'wait' | 'let-go' = 'wait',
): Promise<Parent> {
  const script = await writeScript(`
    import { startEmbeddedRedis } from '${builtPath('src/embedded/embedded-redis.ts')}'
    const log = { debug() {}, info() {}, warn() {}, error() {} }
    const start = ${JSON.stringify({ dataDir: join(folder, 'data'), binary })}
    if (${then === 'wait'}) {
      setInterval(() => {}, 1_000)
      process.on('SIGINT', () => console.log('heard SIGINT'))
    }
    try {
      const redis = await startEmbeddedRedis({ ...start, say() {}, log })
      console.log(JSON.stringify({ path: redis.path, pid: redis.pid() }))
    } catch (error) {
      console.log(JSON.stringify({ refused: error.code }))
      process.exit(1)
    }
  `)
  const parent = spawnProcess({ args: [...LOADER, script], cwd: ROOT, env, isTethered: true })
  closing.push(() => parent.kill('SIGKILL'))
  parent.stderr?.pipe(process.stderr)
  const lines = createInterface(parent.stdout as Readable)[Symbol.asyncIterator]()
  const nextLine = async () => String((await lines.next()).value)
  const started = JSON.parse(await nextLine())
  if (started.refused) throw new Error(started.refused)
  return { process: parent, ...started, nextLine }
}

async function writeScript(source: string): Promise<string> {
  const file = join(await mkdtemp(join(folder, 'script-')), 'parent.mjs')
  await chmod(join(file, '..'), 0o755)
  await writeFile(file, source)
  return file
}

/** A folder for PATH with these programs of the machine and no others. */
async function binFolder(name: string, programs: string[]): Promise<string> {
  const bin = join(folder, name)
  await mkdir(bin)
  for (const program of programs) await symlink(join('/usr/bin', program), join(bin, program))
  return bin
}

async function binFolderWithoutRedis(): Promise<string> {
  const programs = await readdir('/usr/bin')
  return binFolder(
    'usr-bin',
    programs.filter((name) => !/redis|valkey/.test(name)),
  )
}

async function executable(path: string, script = 'exit 0'): Promise<void> {
  await writeFile(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 })
}

function search(env: NodeJS.ProcessEnv, said: string[] = []): Promise<RedisServerBinary> {
  return findRedisServer({ cacheDir: join(folder, 'cache'), env, say: (line) => said.push(line) })
}

/** A zombie does not run: where nobody reaps orphans, as in some containers, the dead keep their number. */
function isRunning(pid: number): boolean {
  return processes().some((line) => line.pid === pid)
}

/** The servers, watchers and shells that were started with this folder on their command line. */
function processesNaming(text: string): string[] {
  return processes()
    .filter(({ command }) => command.includes(text) && !command.includes('parent.mjs'))
    .map(({ command }) => command)
}

function processes(): { pid: number; command: string }[] {
  const lines = String(execFileSync('ps', ['-A', '-ww', '-o', 'pid=,stat=,args='])).split('\n')
  const rows = lines.map((line) => /^\s*(\d+)\s+(\S+)\s+(.*)$/.exec(line)).filter((row) => row !== null)
  return rows
    .filter(([, , state]) => !state?.startsWith('Z'))
    .map(([, pid, , command]) => ({
      pid: Number(pid),
      command: command ?? '',
    }))
}

function pairs(flat: string[]): Record<string, string> {
  return Object.fromEntries(flat.flatMap((key, i) => (i % 2 === 0 ? [[key, flat[i + 1] ?? '']] : [])))
}
