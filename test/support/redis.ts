import { mkdtemp, rm } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { freeLoopbackPort, type RedisChild, spawnRedis } from '../../src/embedded/redis-child.ts'
import { defaultCacheDir, findRedisServer, type RedisServerBinary } from '../../src/embedded/redis-server.ts'

export interface TestRedis {
  readonly port: number
  readonly url: string
  readonly dir: string
  readonly pid: number
  /** SIGKILL; returns when the process has ended. */
  kill(): Promise<void>
  /** Starts it again on the same port and folder; stops it in order first where it runs. */
  restart(): Promise<void>
  /** SIGSTOP: it keeps its connections and says nothing. */
  pause(): void
  resume(): void
  /** Resumes, ends and removes it. May be called twice. */
  stop(): Promise<void>
}

interface TestRedisOptions {
  readonly args?: readonly string[]
  /** kept on stop; without it a temporary folder is made and removed */
  readonly dir?: string
  readonly port?: number
  /** when it writes to its disk, default `everysec` */
  readonly aof?: 'always' | 'everysec' | 'off'
  /** what is started in place of the server that was found, and becomes it */
  readonly startedOn?: (found: RedisServerBinary) => Promise<RedisServerBinary>
}

/** A real server of its own for a test, on a loopback port. It ends with the test process in any case. */
export async function startRedis(options: TestRedisOptions = {}): Promise<TestRedis> {
  const found = await findRedisServer({
    cacheDir: defaultCacheDir(process.env, homedir()),
    env: process.env,
    say: (line) => process.stderr.write(`${line}\n`),
  })
  const binary = (await options.startedOn?.(found)) ?? found
  const dir = options.dir ?? (await mkdtemp(join(tmpdir(), 'gone-test-redis-')))
  const aof = options.aof ?? 'everysec'
  const durability = aof === 'off' ? ['--appendonly', 'no'] : ['--appendonly', 'yes', '--appendfsync', aof]
  const args = ['--save', '', ...durability, ...(options.args ?? [])]
  const logFile = join(dir, 'redis.log')

  async function start(port: number): Promise<RedisChild> {
    const started = spawnRedis({ binary, address: { port }, dir, logFile, args })
    const readiness = await started.ready(() => {})
    if (readiness.kind === 'ready') return started
    throw new Error(
      `redis-server on port ${port}: ${'reason' in readiness ? readiness.reason : readiness.kind}`,
    )
  }

  /** Another test may take a port between our look and our start. */
  async function startSomewhere(attempts: number): Promise<{ port: number; child: RedisChild }> {
    const port = options.port ?? (await freeLoopbackPort())
    try {
      return { port, child: await start(port) }
    } catch (error) {
      if (attempts === 1 || options.port !== undefined) throw error
      return startSomewhere(attempts - 1)
    }
  }

  const removeOwnDir = async () => {
    if (options.dir === undefined) await rm(dir, { recursive: true, force: true })
  }

  let { port, child } = await startSomewhere(5).catch(async (error: unknown) => {
    await removeOwnDir()
    throw error
  })

  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    dir,
    get pid() {
      return child.pid
    },
    async kill() {
      child.kill('SIGKILL')
      await child.exited
    },
    async restart() {
      child.kill('SIGCONT')
      await child.stop()
      child = await start(port)
    },
    pause: () => child.kill('SIGSTOP'),
    resume: () => child.kill('SIGCONT'),
    async stop() {
      child.kill('SIGCONT')
      await child.stop()
      await removeOwnDir()
    },
  }
}
