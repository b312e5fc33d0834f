import { mkdtemp, rm } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Log } from '../src/core/rounds/round-ports.ts'
import { type EmbeddedRedis, startEmbeddedRedis } from '../src/embedded/embedded-redis.ts'
import { defaultCacheDir, findRedisServer } from '../src/embedded/redis-server.ts'
import { compile } from '../test/support/compile.ts'
import { type Process, startProcess } from '../test/support/processes.ts'

/** A server in a process of its own. */
export interface BenchServer {
  readonly url: string
  readonly pid: number
  /** Ends it in order, before the others. */
  stop(): Promise<void>
}

export interface GoneUnderTest extends BenchServer {
  /** The unix socket of its embedded Redis. */
  readonly redis: string
}

const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} }

/** The first start on a machine without Redis fetches one. */
const READY_WITHIN_MS = 90_000

/** Beside what runs the others; ends the process with the bench. */
const TETHER = 'bench/tether'
const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** The processes and folders of one bench, so that none is left behind. */
export class Processes {
  private readonly started: Process[] = []
  private readonly folders: string[] = []
  private readonly redises: EmbeddedRedis[] = []
  private built: Promise<string> | undefined

  /** @param interruption nothing is started after it */
  constructor(private readonly interruption: AbortSignal) {}

  /** `gone serve` as the CLI starts it, from TypeScript, with an embedded Redis on an empty folder. */
  async startGone(): Promise<GoneUnderTest> {
    const folder = await mkdtemp(join(tmpdir(), 'gone-bench-'))
    this.folders.push(folder)
    const server = await this.start('src/cli/main.ts', ['serve', '--port', '0', '--data-dir', folder])
    return { ...server, redis: join(folder, 'redis.sock') }
  }

  /** The same as it is built, which is what users run: its loader is not in its memory. @param processes that serve its port */
  async startBuilt(processes = 1): Promise<GoneUnderTest> {
    const folder = await mkdtemp(join(tmpdir(), 'gone-bench-'))
    this.folders.push(folder)
    const words = ['serve', '--port', '0', '--data-dir', folder, '--processes', String(processes)]
    const server = await this.startCompiled(words)
    return { ...server, redis: join(folder, 'redis.sock') }
  }

  /** A second one on the Redis of the first. */
  startBuiltReplica({ redis }: Pick<GoneUnderTest, 'redis'>): Promise<BenchServer> {
    return this.startCompiled(['serve', '--port', '0', '--redis', redis])
  }

  /** A second `gone serve` on the Redis of the first. */
  startReplica({ redis }: Pick<GoneUnderTest, 'redis'>): Promise<BenchServer> {
    return this.start('src/cli/main.ts', ['serve', '--port', '0', '--redis', redis])
  }

  /** `gone work` on the Redis of this server. */
  startWorker({ redis }: Pick<GoneUnderTest, 'redis'>, folder: string): Promise<BenchServer> {
    return this.start('src/cli/main.ts', ['work', folder, '--redis', redis])
  }

  /** What says that so many instances live. */
  startHosts(
    { redis }: Pick<GoneUnderTest, 'redis'>,
    instances: number,
    hosts: number,
  ): Promise<BenchServer> {
    return this.start('bench/fleet-hosts.ts', [redis, String(instances), String(hosts)])
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
    for (const process of this.started.splice(0).reverse()) await process.stop()
    for (const redis of this.redises.splice(0)) await redis.stop()
    this.built = undefined
    for (const folder of this.folders.splice(0)) await rm(folder, { recursive: true, force: true })
  }

  private start(file: string, args: readonly string[]): Promise<BenchServer> {
    return this.startNode(file, ['--import', 'tsx', '--import', `./${TETHER}.ts`, file, ...args])
  }

  /** The folder of this tree as it is built, the bench included. */
  compiled(): Promise<string> {
    this.built ??= compile(ROOT).then((folder) => {
      this.folders.push(folder)
      return folder
    })
    return this.built
  }

  private async startCompiled(args: readonly string[]): Promise<BenchServer> {
    const built = await this.compiled()
    const main = join(built, 'src/cli/gone.js')
    return this.startNode(main, ['--import', join(built, `${TETHER}.js`), main, ...args])
  }

  private async startNode(name: string, args: readonly string[]): Promise<BenchServer> {
    this.interruption.throwIfAborted()
    const process = await startProcess({
      name,
      args,
      cwd: ROOT,
      isTethered: true,
      readyWithinMs: READY_WITHIN_MS,
    })
    this.started.push(process)
    return { url: process.url, pid: process.pid, stop: async () => void (await process.stop()) }
  }
}
