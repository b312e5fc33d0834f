import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Log } from '../src/core/ports.ts'
import { type EmbeddedRedis, startEmbeddedRedis } from '../src/redis/embedded.ts'
import { defaultCacheDir, findRedisServer } from '../src/redis/redis-server.ts'

/** A server in a process of its own. */
export interface BenchServer {
  readonly url: string
  /** Ends it in order, before the others. */
  stop(): Promise<void>
}

export interface GoneUnderTest extends BenchServer {
  /** The unix socket of its embedded Redis. */
  readonly redis: string
}

const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} }

/** The first start on a machine without Redis fetches one. */
const START_WITHIN_MS = 90_000
/** `gone serve` drains within 10 s. */
const STOP_WITHIN_MS = 15_000
const MAX_COMPLAINT = 2_000

/** The processes and folders of one bench, so that none is left behind. */
export class Processes {
  private readonly children: ChildProcess[] = []
  private readonly folders: string[] = []
  private readonly redises: EmbeddedRedis[] = []

  /** @param interruption nothing is started after it */
  constructor(private readonly interruption: AbortSignal) {}

  /** `gone serve` as the CLI starts it, from TypeScript, with an embedded Redis on an empty folder. */
  async startGone(): Promise<GoneUnderTest> {
    const folder = await mkdtemp(join(tmpdir(), 'gone-bench-'))
    this.folders.push(folder)
    const server = await this.start('src/cli/main.ts', ['serve', '--port', '0', '--data-dir', folder])
    return { ...server, redis: join(folder, 'redis.sock') }
  }

  /** A second `gone serve` on the Redis of the first. */
  startReplica({ redis }: Pick<GoneUnderTest, 'redis'>): Promise<BenchServer> {
    return this.start('src/cli/main.ts', ['serve', '--port', '0', '--redis', redis])
  }

  startEmpty(): Promise<BenchServer> {
    return this.start('bench/empty-server.ts', [])
  }

  /** The Redis that `gone serve` embeds, alone: servers on it can come and go. */
  async startRedis(): Promise<{ readonly redis: string }> {
    const folder = await mkdtemp(join(tmpdir(), 'gone-bench-'))
    this.folders.push(folder)
    const say = () => undefined
    const binary = await findRedisServer({
      cacheDir: defaultCacheDir(process.env, homedir()),
      env: process.env,
      say,
    })
    const redis = await startEmbeddedRedis({ dataDir: folder, binary, say, log: silentLog })
    this.redises.push(redis)
    return { redis: redis.path ?? `redis://127.0.0.1:${redis.port}` }
  }

  /** Ends whatever was started. May be called twice, and while something starts. */
  async stop(): Promise<void> {
    // In the reverse order: a replica goes before the Redis that it uses.
    for (const child of this.children.splice(0).reverse()) await stopChild(child)
    for (const redis of this.redises.splice(0)) await redis.stop()
    for (const folder of this.folders.splice(0)) await rm(folder, { recursive: true, force: true })
  }

  private async start(file: string, args: readonly string[]): Promise<BenchServer> {
    const root = fileURLToPath(new URL('..', import.meta.url))
    this.interruption.throwIfAborted()
    const preloads = ['--import', 'tsx', '--import', './bench/tether.ts']
    const child = spawn(process.execPath, [...preloads, file, ...args], {
      cwd: root,
      env: ownEnvironment(),
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      // A Ctrl-C in the terminal is for the bench, which stops its processes in order.
      detached: true,
    })
    this.children.push(child)
    return { url: await urlOf(child, file), stop: () => stopChild(child) }
  }
}

/** Without what would make the server another one than the default. */
function ownEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !name.startsWith('GONE_') && !name.endsWith('REDIS_URL') && name !== 'GATE_REDIS_URLS',
    ),
  )
}

/** Both servers say their URL in a line of JSON on stdout. */
async function urlOf(child: ChildProcess, file: string): Promise<string> {
  let complaint = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(-MAX_COMPLAINT)
  })
  const lines = createInterface({ input: child.stdout as NonNullable<typeof child.stdout> })
  const said = new Promise<string>((resolve) => {
    lines.on('line', (line) => {
      const url = /"url":"(http:[^"]+)"/.exec(line)?.[1]
      if (url !== undefined) resolve(url)
    })
  })
  const ended = once(child, 'exit').then(([code, signal]) => {
    throw new Error(`${file} ended with ${signal ?? `code ${code}`}: ${complaint.trim() || 'no word'}`)
  })
  const late = sleep(START_WITHIN_MS, undefined, { ref: false }).then(() => {
    throw new Error(`${file} did not listen within ${START_WITHIN_MS / 1_000} s`)
  })
  return Promise.race([said, ended, late])
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  const force = setTimeout(() => child.kill('SIGKILL'), STOP_WITHIN_MS)
  await exited
  clearTimeout(force)
}
