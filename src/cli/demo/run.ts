import { readFileSync } from 'node:fs'
import type { GoneServer } from '../../app/server.ts'
import { createClient, type GoneClient } from '../../client/client.ts'
import { lockFileIn } from '../../embedded/data-folder.ts'
import { GoneError } from '../../errors.ts'
import { endsWithin, pause } from '../../waiting.ts'
import { EXIT } from '../terminal.ts'
import { Children } from './children.ts'
import { makeDataDir } from './data-dir.ts'
import { DemoFleet } from './demo-fleet.ts'
import { jobSummaryOf } from './job-ledger.ts'
import { summaryOf } from './ledger.ts'
import { type JobTold, type RoundTold, WARM_UP_MS } from './protocol.ts'
import { Referee } from './referee.ts'
import { type ReplicaView, screenOn, type View, type WorkerView } from './screen.ts'
import { watchForTheEnd } from './watch-for-the-end.ts'

export interface DemoOptions {
  readonly port: number
  /** Time from round to round, in ms. */
  readonly every: number
  /** How many rounds; until Ctrl-C if missing. */
  readonly rounds?: number
}

type Ending = 'enough' | 'interrupted' | Error

const REPLICAS = 5
const WORKERS = 2
/** Whoever kills one again and again gets no busy loop. */
const RESTART_AFTER_MS = 300
const ALL_READY_WITHIN_MS = 30_000
const BACK_WITHIN_MS = 5_000
const STOP_WITHIN_MS = 8_000
const REDRAW_MS = 200

/**
 * Runs the demo until Ctrl-C, or for so many rounds; whatever it started is gone when it returns.
 *
 * @returns the exit code: whether every round and every job was as promised
 * @throws Error where the server, a replica or a worker could not run
 */
export function runDemo(options: DemoOptions): Promise<number> {
  return new Demo(options).run()
}

class Demo {
  private readonly referee: Referee
  private readonly screen = screenOn(process.stdout)
  private readonly dataDir = makeDataDir()
  private readonly replicas: Children
  private readonly workers: Children
  private status: string | undefined =
    `starting Redis, the server, ${REPLICAS} replicas and ${WORKERS} workers ...`
  private server: { readonly url: string; readonly client: GoneClient; readonly fleet: DemoFleet } | undefined
  private ending: Ending | undefined
  private readonly ended: Promise<Ending>
  private finish: (ending: Ending) => void = () => {}
  private readonly stopWatching: () => void

  constructor(private readonly options: DemoOptions) {
    this.ended = new Promise((resolve) => {
      this.finish = (ending) => {
        this.ending ??= ending
        this.referee.end()
        resolve(ending)
      }
    })
    this.stopWatching = watchForTheEnd(() => this.finish('interrupted'))
    this.referee = new Referee({
      max: options.rounds ?? Number.POSITIVE_INFINITY,
      killReplica: (replica) => this.replicas.kill(replica),
      killWorker: (worker) => this.workers.kill(worker),
      unregister: (worker) => this.server?.fleet.tell('unregister', this.workers.pidOf(worker)),
      register: (worker) => this.server?.fleet.tell('register', this.workers.pidOf(worker)),
      onEnough: () => this.finish('enough'),
    })
    const shared = {
      dataDir: this.dataDir,
      onReady: () => this.beginWhenReady(),
      onTold: (number: number, told: RoundTold | JobTold) => this.referee.hear(number, told),
      onFailed: (error: Error) => this.finish(error),
    }
    this.replicas = new Children({
      ...shared,
      kind: 'replica',
      count: REPLICAS,
      onKilled: (replica) => this.referee.hearReplicaKilled(replica),
      pauseAfterKill: () => pause(RESTART_AFTER_MS),
    })
    this.workers = new Children({
      ...shared,
      kind: 'worker',
      count: WORKERS,
      onKilled: (worker) => this.referee.hearWorkerKilled(worker),
      // So it is seen who took over.
      pauseAfterKill: (worker) => this.referee.untilSucceeded(worker),
    })
  }

  async run(): Promise<number> {
    this.screen.show(this.view())
    const redraw = setInterval(() => this.screen.show(this.view()), REDRAW_MS)
    process.once('uncaughtException', (error) => this.finish(error))
    const starting = this.start()
    starting.catch((error: Error) => this.finish(error))
    const ending = await this.ended
    if (ending === 'enough') await this.untilAllAreBack()

    this.status = 'ending the replicas, the workers, the server and Redis ...'
    this.screen.show(this.view())
    await endsWithin(STOP_WITHIN_MS, this.stop(starting))
    clearInterval(redraw)
    this.stopWatching()

    const [rounds, jobs] = [this.referee.rounds.judged(), this.referee.jobs.judged()]
    this.status = undefined
    const summary = jobs.length === 0 ? [summaryOf(rounds)] : [summaryOf(rounds), jobSummaryOf(jobs)]
    const text = ending instanceof Error ? undefined : summary.join('\n')
    this.screen.end({ ...this.view(), rounds, jobs }, text)
    if (ending instanceof Error) throw ending
    return [...rounds, ...jobs].every(({ faults }) => faults?.length === 0) ? EXIT.done : EXIT.notNow
  }

  private async start(): Promise<GoneServer> {
    const server = await startDemoServer(this.options.port, this.dataDir, (line) => {
      if (this.ending === undefined) this.status = line
    })
    const client = createClient({ url: server.url })
    this.server = { url: server.url, client, fleet: new DemoFleet(client) }
    this.referee.begin(this.server.client)
    this.status = `starting ${REPLICAS} replicas and ${WORKERS} workers ...`
    setTimeout(() => this.finishUnlessReady(), ALL_READY_WITHIN_MS).unref()
    this.beginWhenReady()
    return server
  }

  private async stop(starting: Promise<GoneServer>): Promise<void> {
    await Promise.all([this.replicas.stop(), this.workers.stop()])
    const server = await starting.catch(() => undefined)
    await this.server?.fleet.stop()
    await server?.stop()
  }

  private beginWhenReady(): void {
    const isReady = this.server !== undefined && this.replicas.areReady && this.workers.areReady
    if (!isReady || this.replicas.haveBegun || this.ending !== undefined) return
    const { every } = this.options
    this.status = undefined
    const redisUrl = redisUrlIn(this.dataDir)
    const orders = {
      url: this.server?.url ?? '',
      everyMs: every,
      notBeforeMs: slotAfter(Date.now() + 2 * WARM_UP_MS, every),
      ...(redisUrl !== undefined && { redisUrl }),
    }
    this.workers.begin(orders)
    this.replicas.begin(orders)
  }

  /** Whoever was killed last is seen to come back, too. */
  private async untilAllAreBack(): Promise<void> {
    const giveUpMs = performance.now() + BACK_WITHIN_MS
    while (!(this.replicas.areReady && this.workers.areReady) && performance.now() < giveUpMs) {
      await pause(REDRAW_MS)
    }
  }

  private finishUnlessReady(): void {
    if (this.replicas.haveBegun) return
    const started = [this.replicas, this.workers].map(
      (all) => all.numbers.filter((n) => all.isReady(n)).length,
    )
    this.finish(new GoneError('INTERNAL', `only ${started[0]} replicas and ${started[1]} workers started`))
  }

  private view(): View {
    const { status, server, options } = this
    return {
      everyMs: options.every,
      nextMs: slotAfter(Date.now(), options.every) - Date.now(),
      replicas: this.replicas.numbers.map((replica) => this.replica(replica)),
      workers: this.workers.numbers.map((worker) => this.worker(worker)),
      rounds: this.referee.rounds.rounds,
      jobs: this.referee.jobs.jobs,
      ...(status !== undefined && { status }),
      ...(server && { url: server.url }),
    }
  }

  private replica(replica: number): ReplicaView {
    if (!this.replicas.isReady(replica)) return { replica, doing: 'starting' }
    const round = this.referee.rounds.rounds.find(({ faults, present }) => !faults && present.has(replica))
    if (round === undefined) return { replica, doing: 'waiting' }
    return { replica, doing: round.leaderships.at(-1)?.replica === replica ? 'working' : 'standing by' }
  }

  private worker(worker: number): WorkerView {
    if (!this.workers.isReady(worker)) return { worker, doing: 'down' }
    if (this.referee.jobs.isAtWork(worker)) return { worker, doing: 'working' }
    const isUnregistered = this.server?.fleet.isUnregistered(this.workers.pidOf(worker))
    return { worker, doing: isUnregistered ? 'unregistered' : 'waiting' }
  }
}

/** A server, and a Redis of its own whose data is in that folder. @param say what there is to wait for */
export async function startDemoServer(
  port: number,
  dataDir: string,
  say: (line: string) => void,
): Promise<GoneServer> {
  // The largest part of the program, after the first picture.
  const [{ startServer }, { readConfig }, { default: pino }] = await Promise.all([
    import('../../app/server.ts'),
    import('../../config.ts'),
    import('pino'),
  ])
  const config = readConfig({ GONE_PORT: String(port), GONE_DATA_DIR: dataDir, GONE_LOG_LEVEL: 'silent' })
  const log = pino({ level: config.logLevel })
  return startServer(config, { env: process.env, log, say }).catch((error: unknown) => {
    throw withoutRedisUrl(error)
  })
}

function slotAfter(ms: number, everyMs: number): number {
  return (Math.floor(ms / everyMs) + 1) * everyMs
}

function withoutRedisUrl(error: unknown): unknown {
  if (!(error instanceof GoneError) || error.code !== 'REDIS_NOT_FOUND') return error
  const message = `${error.message} (for "gone serve": the demo always starts its own)`
  return new GoneError(error.code, message, { cause: error })
}

/** Where the server's own Redis listens, by the note in its folder; undefined if there is none. */
export function redisUrlIn(dataDir: string): string | undefined {
  try {
    const { address } = JSON.parse(readFileSync(lockFileIn(dataDir), 'utf8')) as {
      readonly address: { readonly path?: string; readonly port?: number }
    }
    return address.path ?? `redis://127.0.0.1:${address.port}`
  } catch {
    return undefined
  }
}
