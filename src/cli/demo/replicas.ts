import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { GoneError } from '../../errors.ts'
import type { Order, Told } from './protocol.ts'

type Orders = Omit<Extract<Order, { kind: 'begin' }>, 'kind'>

interface ReplicasOptions {
  readonly count: number
  /** Removed by the replicas should the demo be killed. */
  readonly dataDir: string
  readonly onTold: (replica: number, told: Told) => void
  readonly onKilled: (replica: number) => void
  /** A replica ended by itself, which is a defect. */
  readonly onFailed: (error: Error) => void
}

/** The same file as this one says: `.ts` where tsx runs the sources, `.js` in what `tsc` made of them. */
const PROGRAM = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? 'replica.ts' : 'replica.js', import.meta.url),
)
const END_WITHIN_MS = 1_000
/** Whoever kills one again and again gets no busy loop. */
const RESTART_AFTER_MS = 300

/** The processes that take part. They end with this one, however it ends; one that is killed is started again. */
export class Replicas {
  private readonly children = new Map<number, ChildProcess>()
  private orders: Orders | undefined
  private isStopping = false

  constructor(private readonly options: ReplicasOptions) {
    for (let replica = 1; replica <= options.count; replica++) this.start(replica)
  }

  /** Sends all into their rounds; also those that are started later. */
  begin(orders: Orders): void {
    this.orders = orders
    for (const child of this.children.values()) order(child, { kind: 'begin', ...orders })
  }

  get haveBegun(): boolean {
    return this.orders !== undefined
  }

  /** As a crash would: in the middle of whatever it does. */
  kill(replica: number): void {
    this.children.get(replica)?.kill('SIGKILL')
  }

  /** Returns when all have ended. */
  async stop(): Promise<void> {
    this.isStopping = true
    await Promise.all(
      [...this.children.values()].map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return
        const ended = once(child, 'exit')
        order(child, { kind: 'end' })
        const force = setTimeout(() => child.kill('SIGKILL'), END_WITHIN_MS)
        await ended
        clearTimeout(force)
      }),
    )
  }

  private start(replica: number): void {
    const { dataDir, onTold, onFailed } = this.options
    let complaint = ''
    // Under tsx its loader is in process.execArgv, and fork hands it on.
    const child = fork(PROGRAM, [dataDir], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
    this.children.set(replica, child)
    child.stderr?.on('data', (chunk) => {
      complaint = `${complaint}${chunk}`.slice(-2_000)
    })
    child.on('message', (told) => onTold(replica, told as Told))
    child.on('error', onFailed)
    child.on('close', (code, signal) => {
      if (this.isStopping) return
      if (signal !== null) void this.restart(replica)
      else
        onFailed(new GoneError('INTERNAL', `replica ${replica} ended (code ${code}): ${lastLine(complaint)}`))
    })
    if (this.orders) order(child, { kind: 'begin', ...this.orders })
  }

  private async restart(replica: number): Promise<void> {
    this.options.onKilled(replica)
    await sleep(RESTART_AFTER_MS)
    if (!this.isStopping) this.start(replica)
  }
}

function order(child: ChildProcess, order: Order): void {
  // It may have been killed this very moment; its `close` says so.
  if (child.connected) child.send(order, () => {})
}

function lastLine(text: string): string {
  return (
    text
      .trim()
      .split('\n')
      .findLast((line) => /\w*Error\b/.test(line))
      ?.trim() ?? 'no reason given'
  )
}
