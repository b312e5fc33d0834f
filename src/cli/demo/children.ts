import type { ChildProcess } from 'node:child_process'
import { GoneError } from '../../errors.ts'
import { endsOrIsKilled, forkProgram } from '../../process/program.ts'
import { Tail } from '../../process/tail.ts'
import type { JobTold, Order, Orders, RoundTold, Told } from './protocol.ts'

interface ChildrenOptions {
  /** The program, too. */
  readonly kind: 'replica' | 'worker'
  readonly count: number
  /** Removed by the children should the demo be killed. */
  readonly dataDir: string
  readonly onReady: () => void
  readonly onTold: (number: number, told: RoundTold | JobTold) => void
  readonly onKilled: (number: number) => void
  /** One ended by itself, which is a defect. */
  readonly onFailed: (error: Error) => void
  /** Ends when one that was killed may be started again. */
  readonly pauseAfterKill: (number: number) => Promise<unknown>
}

const PROGRAMS = {
  replica: new URL('./replica.ts', import.meta.url),
  worker: new URL('./worker.ts', import.meta.url),
}
const END_WITHIN_MS = 1_000
const COMPLAINT_BYTES = 2_000

/** Processes that take part, from 1 on. They end with this one, however it ends; one that is killed is started again. */
export class Children {
  private readonly children = new Map<number, ChildProcess>()
  private readonly ready = new Set<number>()
  private orders: Orders | undefined
  private isStopping = false

  constructor(private readonly options: ChildrenOptions) {
    for (const number of this.numbers) this.start(number)
  }

  get numbers(): number[] {
    return Array.from({ length: this.options.count }, (_, index) => index + 1)
  }

  get areReady(): boolean {
    return this.ready.size === this.options.count
  }

  get haveBegun(): boolean {
    return this.orders !== undefined
  }

  isReady(number: number): boolean {
    return this.ready.has(number)
  }

  pidOf(number: number): number | undefined {
    return this.children.get(number)?.pid
  }

  /** Sends all into their rounds; also those that are started later. */
  begin(orders: Orders): void {
    this.orders = orders
    for (const child of this.children.values()) order(child, { kind: 'begin', ...orders })
  }

  /** As a crash would: in the middle of whatever it does. */
  kill(number: number): void {
    this.children.get(number)?.kill('SIGKILL')
  }

  /** Returns when all have ended. */
  async stop(): Promise<void> {
    this.isStopping = true
    await Promise.all(
      [...this.children.values()].map((child) => {
        order(child, { kind: 'end' })
        return endsOrIsKilled(child, END_WITHIN_MS)
      }),
    )
  }

  private start(number: number): void {
    const { kind, dataDir, onFailed } = this.options
    const complaint = new Tail(COMPLAINT_BYTES)
    const child = forkProgram(PROGRAMS[kind], [dataDir])
    this.children.set(number, child)
    child.stderr?.on('data', (chunk: Buffer) => complaint.add(chunk))
    child.on('message', (told) => this.hear(number, told as Told))
    child.on('error', onFailed)
    child.on('close', (code, signal) => {
      if (this.isStopping) return
      if (signal !== null) void this.restart(number)
      else
        onFailed(
          new GoneError('INTERNAL', `${kind} ${number} ended (code ${code}): ${lastLine(complaint.text())}`),
        )
    })
    if (this.orders) order(child, { kind: 'begin', ...this.orders })
  }

  private hear(number: number, told: Told): void {
    if (told.kind === 'ready') {
      this.ready.add(number)
      this.options.onReady()
    } else this.options.onTold(number, told)
  }

  private async restart(number: number): Promise<void> {
    this.ready.delete(number)
    this.options.onKilled(number)
    await this.options.pauseAfterKill(number)
    if (!this.isStopping) this.start(number)
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
