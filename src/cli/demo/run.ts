import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { GoneServer } from '../../app.ts'
import { createClient, type GoneClient } from '../../client/client.ts'
import { GoneError } from '../../errors.ts'
import { EXIT } from '../terminal.ts'
import { faultsOf, isOver, Ledger, type LedgerRound, summaryOf } from './ledger.ts'
import { SYSTEM, type Told, WARM_UP_MS } from './protocol.ts'
import { Replicas } from './replicas.ts'
import { type ReplicaView, screenOn, type View } from './screen.ts'

export interface DemoOptions {
  readonly port: number
  /** Time from round to round, in ms. */
  readonly every: number
  /** How many rounds; until Ctrl-C if missing. */
  readonly rounds?: number
}

type Ending = 'enough' | 'interrupted' | Error

const REPLICAS = 5
/** The second of every three rounds: soon enough for whoever looks on for ten seconds. */
const isDeadly = (index: number) => index % 3 === 1
const KILL_AFTER_MS = 400
const ROUND_WITHIN_MS = 20_000
const REPLICAS_READY_WITHIN_MS = 30_000
const STOP_WITHIN_MS = 8_000
const REDRAW_MS = 200
/** A Ctrl-C may come twice, from the terminal and from npm. */
const SECOND_SIGNAL_MS = 500

/**
 * Runs the demo until Ctrl-C, or for so many rounds; whatever it started is gone when it returns.
 *
 * @returns the exit code: whether every round was as promised
 * @throws Error where the server or a replica could not run
 */
export function runDemo(options: DemoOptions): Promise<number> {
  return new Demo(options).run()
}

class Demo {
  private readonly ledger = new Ledger()
  private readonly screen = screenOn(process.stdout)
  private readonly dataDir = mkdtempSync(join(tmpdir(), 'gone-demo-'))
  private readonly ready = new Set<number>()
  private readonly replicas: Replicas
  private status: string | undefined = `starting Redis, the server and ${REPLICAS} replicas ...`
  private server: { readonly url: string; readonly client: GoneClient } | undefined
  private ending: Ending | undefined
  private readonly ended: Promise<Ending>
  private finish: (ending: Ending) => void = () => {}
  private readonly stopWatching: () => void

  constructor(private readonly options: DemoOptions) {
    this.ended = new Promise((resolve) => {
      this.finish = (ending) => {
        this.ending ??= ending
        resolve(ending)
      }
    })
    this.stopWatching = watchForTheEnd(() => this.finish('interrupted'))
    // Should the end be a hard one: the folder goes here, Redis and the replicas end by themselves.
    process.once('exit', () => rmSync(this.dataDir, { recursive: true, force: true }))
    this.replicas = new Replicas({
      count: REPLICAS,
      dataDir: this.dataDir,
      onTold: (replica, told) => this.hear(replica, told),
      onKilled: (replica) => this.hearKilled(replica),
      onFailed: (error) => this.finish(error),
    })
  }

  async run(): Promise<number> {
    this.screen.show(this.view())
    const redraw = setInterval(() => this.screen.show(this.view()), REDRAW_MS)
    process.once('uncaughtException', (error) => this.finish(error))
    const starting = this.start()
    starting.catch((error: Error) => this.finish(error))
    const ending = await this.ended

    this.status = 'ending the replicas, the server and Redis ...'
    this.screen.show(this.view())
    await Promise.race([this.stop(starting), sleep(STOP_WITHIN_MS, undefined, { ref: false })])
    clearInterval(redraw)
    this.stopWatching()

    const rounds = this.ledger.judged()
    this.status = undefined
    this.screen.end({ ...this.view(), rounds }, ending instanceof Error ? undefined : summaryOf(rounds))
    if (ending instanceof Error) throw ending
    return rounds.every(({ faults }) => faults?.length === 0) ? EXIT.done : EXIT.notNow
  }

  private async start(): Promise<GoneServer> {
    // The largest part of the program, after the first picture.
    const [{ startServer }, { readConfig }, { default: pino }] = await Promise.all([
      import('../../app.ts'),
      import('../../config.ts'),
      import('pino'),
    ])
    const config = readConfig({
      GONE_PORT: String(this.options.port),
      GONE_DATA_DIR: this.dataDir,
      GONE_LOG_LEVEL: 'silent',
    })
    const server = await startServer(config, {
      env: process.env,
      log: pino({ level: config.logLevel }),
      say: (line) => {
        if (this.ending === undefined) this.status = line
      },
    }).catch((error: unknown) => {
      throw withoutRedisUrl(error)
    })
    this.server = { url: server.url, client: createClient({ url: server.url }) }
    this.status = `starting ${REPLICAS} replicas ...`
    setTimeout(() => this.finishUnlessReady(), REPLICAS_READY_WITHIN_MS).unref()
    this.beginWhenReady()
    return server
  }

  private async stop(starting: Promise<GoneServer>): Promise<void> {
    await this.replicas.stop()
    const server = await starting.catch(() => undefined)
    await server?.stop()
  }

  private beginWhenReady(): void {
    if (this.server === undefined || this.ready.size < REPLICAS || this.ending !== undefined) return
    const { every } = this.options
    this.status = undefined
    this.replicas.begin({
      url: this.server.url,
      everyMs: every,
      notBeforeMs: slotAfter(Date.now() + 2 * WARM_UP_MS, every),
    })
  }

  private finishUnlessReady(): void {
    if (this.ready.size === REPLICAS) return
    this.finish(new GoneError('INTERNAL', `only replicas ${[...this.ready].join(', ')} started`))
  }

  private hear(replica: number, told: Told): void {
    if (this.ending !== undefined) return
    if (told.kind === 'ready') {
      this.ready.add(replica)
      if (!this.replicas.haveBegun) this.beginWhenReady()
      return
    }
    const isNew = this.ledger.round(told.round) === undefined
    const round = this.ledger.note(replica, told)
    if (isNew) setTimeout(() => this.giveUp(round), ROUND_WITHIN_MS).unref()
    if (told.kind === 'leads' && round.leaderships.length === 1) this.killSometimes(replica, round)
    if (isOver(round)) void this.judge(round)
  }

  private hearKilled(replica: number): void {
    this.ready.delete(replica)
    for (const round of this.ledger.noteKilled(replica)) if (isOver(round)) void this.judge(round)
  }

  private killSometimes(replica: number, round: LedgerRound): void {
    if (!isDeadly(this.ledger.rounds.indexOf(round))) return
    setTimeout(() => {
      if (round.completedBy.length === 0) this.replicas.kill(replica)
    }, KILL_AFTER_MS).unref()
  }

  /** The replicas' word is held against the record. */
  private async judge(round: LedgerRound): Promise<void> {
    if (round.faults !== undefined) return
    const record = await this.server?.client.elected(SYSTEM, round.round).catch(() => undefined)
    this.close(round, faultsOf(round, record))
  }

  private giveUp(round: LedgerRound): void {
    this.close(round, [`not over within ${ROUND_WITHIN_MS / 1_000} s`, ...faultsOf(round)])
  }

  private close(round: LedgerRound, faults: readonly string[]): void {
    if (this.ending !== undefined) return
    round.faults ??= faults
    if (this.ledger.judged().length === this.options.rounds) this.finish('enough')
  }

  private view(): View {
    const { status, server, ledger, options } = this
    const replicas = Array.from({ length: REPLICAS }, (_, index) => this.replica(index + 1))
    const nextMs = slotAfter(Date.now(), options.every) - Date.now()
    return {
      everyMs: options.every,
      nextMs,
      replicas,
      rounds: ledger.rounds,
      ...(status !== undefined && { status }),
      ...(server && { url: server.url }),
    }
  }

  private replica(replica: number): ReplicaView {
    if (!this.ready.has(replica)) return { replica, doing: 'starting' }
    const round = this.ledger.rounds.find(({ faults, present }) => !faults && present.has(replica))
    if (round === undefined) return { replica, doing: 'waiting' }
    return { replica, doing: round.leaderships.at(-1)?.replica === replica ? 'working' : 'standing by' }
  }
}

function slotAfter(ms: number, everyMs: number): number {
  return (Math.floor(ms / everyMs) + 1) * everyMs
}

/**
 * Calls on a signal, when nobody reads the output any more, and when the process that started this one has gone: npm
 * and tsx stand between it and the terminal, and a kill -9 of them tells it nothing.
 */
function watchForTheEnd(onEnd: () => void): () => void {
  let firstMs: number | undefined
  const onSignal = () => {
    firstMs ??= performance.now()
    if (performance.now() - firstMs > SECOND_SIGNAL_MS) process.exit(EXIT.unknown)
    onEnd()
  }
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const signal of signals) process.on(signal, onSignal)
  process.stdout.on('error', onEnd)
  const parentPid = process.ppid
  const look = setInterval(() => {
    if (process.ppid !== parentPid) onEnd()
  }, 500)
  return () => {
    clearInterval(look)
    for (const signal of signals) process.off(signal, onSignal)
  }
}

function withoutRedisUrl(error: unknown): unknown {
  if (!(error instanceof GoneError) || error.code !== 'REDIS_NOT_FOUND') return error
  const message = `${error.message} (for "gone serve": the demo always starts its own)`
  return new GoneError(error.code, message, { cause: error })
}
