import type { Pokes } from '../../core/fleet/fleet-ports.ts'
import { type InstanceLogs, LOG_BYTES, LOGS_POKE } from '../../core/fleet/instance-log.ts'
import type { Log } from '../../core/rounds/round-ports.ts'
import { pause } from '../../waiting.ts'
import type { Work } from '../loop.ts'
import type { Life } from './life.ts'

export interface LogSenderParts {
  readonly logs: Pick<InstanceLogs, 'watched' | 'add'>
  readonly pokes: Pokes
  /** Those that live, and those that are drained. */
  readonly lives: () => readonly Life[]
  /** Hides what nobody should read. */
  readonly redact: (text: string) => string
  readonly log: Log
  /** A clock that never goes back. */
  readonly nowMs: () => number
}

/** Whoever wants to see a log pokes, and that may be lost. */
const ASK_EVERY_MS = 2_000
/** While somebody looks. */
const SEND_EVERY_MS = 200
/** Of one that prints without end so much is sent each time, and the rest is counted. */
const BATCH = { lines: 200, bytes: 32_768 } as const
/** At first all that is kept of it. */
const FIRST_BATCHES = (2 * LOG_BYTES) / BATCH.bytes
const MAX_FOLLOWED = 1_000

/** How far the log of an instance is sent. */
interface Followed {
  readonly life: Life
  /** The number of the line that is to be sent next. */
  next: number
  /** What was printed before somebody looked is sent. */
  isCaughtUp: boolean
}

/** Sends what instances print to where servers read it, as long as somebody wants to see it, and no faster than that can be kept. */
export class LogSender implements Work {
  private readonly stopping = new AbortController()
  private readonly followed = new Map<string, Followed>()
  private wanted: ReadonlySet<string> = new Set()
  private wake = new AbortController()
  private isPoked = false
  private askedAtMs = Number.NEGATIVE_INFINITY
  private leavePokes: (() => void) | undefined
  private running: Promise<void> | undefined

  constructor(private readonly parts: LogSenderParts) {}

  start(): void {
    this.running ??= this.run()
  }

  async stop(): Promise<void> {
    this.stopping.abort()
    this.wake.abort()
    await this.running
    this.leavePokes?.()
    const { log } = this.parts
    // What they have said as they ended.
    if (this.wanted.size > 0)
      await this.send().catch((error: unknown) =>
        log.debug({ cause: String(error) }, 'last lines are not sent'),
      )
  }

  private async run(): Promise<void> {
    const { pokes, log } = this.parts
    void pokes
      .listen(LOGS_POKE, () => {
        this.isPoked = true
        this.wake.abort()
      })
      .then(
        (leave) => {
          this.leavePokes = leave
        },
        (error: unknown) => log.debug({ cause: String(error) }, 'logs are sent a little later'),
      )
    while (!this.stopping.signal.aborted) {
      this.wake = new AbortController()
      try {
        await this.send()
      } catch (error) {
        log.debug({ cause: String(error) }, 'logs are not sent now')
        this.askedAtMs = Number.NEGATIVE_INFINITY
        await pause(ASK_EVERY_MS, this.stopping.signal)
        continue
      }
      if (!this.isPoked) await pause(this.wanted.size > 0 ? SEND_EVERY_MS : ASK_EVERY_MS, this.wake.signal)
    }
  }

  private async send(): Promise<void> {
    this.note()
    const { nowMs } = this.parts
    await this.sendWanted()
    if (this.isPoked || nowMs() - this.askedAtMs >= ASK_EVERY_MS) {
      // After all that was printed until now: who has poked waits for that.
      await this.askWhoIsWanted()
      await this.sendWanted()
    }
    let isLate = false
    for (const [id, one] of this.followed) {
      if (this.wanted.has(id) && !one.isCaughtUp) {
        one.isCaughtUp = true
        isLate = true
      }
      // The last that it has said is sent, or nobody wants to see it.
      if (one.life.exit && (!this.wanted.has(id) || one.next > one.life.tail.printed))
        this.followed.delete(id)
    }
    if (isLate) await this.askWhoIsWanted()
  }

  private async sendWanted(): Promise<void> {
    for (const [id, one] of this.followed) if (this.wanted.has(id)) await this.sendOf(id, one)
  }

  private note(): void {
    for (const life of this.parts.lives()) {
      const { facts } = life
      if (facts === undefined || this.followed.has(facts.id) || this.followed.size >= MAX_FOLLOWED) continue
      this.followed.set(facts.id, { life, next: 1, isCaughtUp: false })
    }
  }

  private async askWhoIsWanted(): Promise<void> {
    this.isPoked = false
    this.askedAtMs = this.parts.nowMs()
    const ids = new Map([...this.followed].map(([id, { isCaughtUp }]) => [id, isCaughtUp]))
    this.wanted = ids.size === 0 ? new Set() : await this.parts.logs.watched(ids)
    for (const [id, one] of this.followed) if (!this.wanted.has(id)) one.isCaughtUp = false
  }

  private async sendOf(instance: string, one: Followed): Promise<void> {
    const { logs, redact, nowMs } = this.parts
    const most = one.isCaughtUp && !one.life.exit ? 1 : FIRST_BATCHES
    for (let sent = 0; sent < most; sent += 1) {
      const lines = one.life.tail.from(one.next, BATCH)
      const [begin] = lines
      if (begin === undefined) return
      const batch = {
        instance,
        first: begin.number,
        lines: lines.map(({ atMs, isError, text }) => ({
          agoMs: nowMs() - atMs,
          isError,
          text: redact(text),
        })),
      }
      const next = await logs.add(batch, one.next > 1)
      // Where the store has lost what was sent, all that is kept here is sent anew.
      one.next = Math.max(1, next)
    }
  }
}
