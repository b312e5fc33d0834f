import type { Log } from '../core/rounds/round-ports.ts'
import { callAfter, endsWithin } from '../waiting.ts'

export interface SpanExportParts<Item> {
  /** Where spans are told, with its path. */
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** How long what is to be told waits for more at most. */
  readonly everyMs: number
  /** The body of a request. */
  readonly bodyOf: (items: readonly Item[]) => string
  readonly log: Log
}

/** How many wait at most, and how many go at once: as OpenTelemetry's own SDKs have it. */
const MAX_WAITING = 2_048
const BATCH = 512
/** After it was refused or not answered, and at the most. */
const AGAIN_MS = 5_000
const MAX_AGAIN_MS = 60_000
const TIMEOUT_MS = 10_000
/** What the end of a process may take. */
const LAST_MS = 1_000
/** What says that the same may be taken later. */
const LATER: ReadonlySet<number> = new Set([429, 502, 503, 504])

/** Tells of spans behind what goes on, in batches. What it cannot tell is left out and counted in the log. */
export class SpanExport<Item> {
  private waiting: Item[] = []
  private leftOut = 0
  private againMs = 0
  private sending: Promise<void> | undefined
  private callOff: (() => void) | undefined
  private isStopped = false

  constructor(private readonly parts: SpanExportParts<Item>) {}

  add(item: Item): void {
    if (this.isStopped || this.waiting.length >= MAX_WAITING) {
      this.leftOut += 1
      return
    }
    this.waiting.push(item)
    if (this.waiting.length >= BATCH && this.againMs === 0) this.send()
    else this.sendAfter(this.parts.everyMs)
  }

  /** Tells of what waits, for a second at the most. */
  async stop(): Promise<void> {
    if (this.isStopped) return
    this.isStopped = true
    this.callOff?.()
    this.callOff = undefined
    const telling = async () => {
      await this.sending
      while (this.waiting.length > 0 && this.againMs === 0) await this.sendBatch()
    }
    const isTold = await endsWithin(LAST_MS, telling())
    const leftOut = this.waiting.length + this.leftOut
    if (!isTold || leftOut > 0) this.parts.log.warn({ leftOut }, 'stopped before all traces were told')
  }

  private sendAfter(ms: number): void {
    if (this.callOff || this.sending || this.isStopped) return
    this.callOff = callAfter(ms, () => {
      this.callOff = undefined
      this.send()
    })
  }

  private send(): void {
    if (this.sending || this.isStopped) return
    this.callOff?.()
    this.callOff = undefined
    this.sending = this.sendBatch().finally(() => {
      this.sending = undefined
      if (this.waiting.length === 0) return
      this.sendAfter(this.againMs || (this.waiting.length >= BATCH ? 0 : this.parts.everyMs))
    })
  }

  private async sendBatch(): Promise<void> {
    const { bodyOf, log } = this.parts
    const batch = this.waiting.slice(0, BATCH)
    const why = await this.post(bodyOf(batch))
    if (why?.isPassing) {
      // Said once: it is tried again until it is taken.
      if (this.againMs === 0) log.warn({ cause: why.cause }, 'traces are not taken; they are told again')
      this.againMs = Math.min(MAX_AGAIN_MS, this.againMs === 0 ? AGAIN_MS : this.againMs * 2)
      return
    }
    this.waiting = this.waiting.slice(batch.length)
    if (why) log.warn({ cause: why.cause, leftOut: batch.length }, 'traces were refused')
    else if (this.againMs > 0) log.info({ leftOut: this.leftOut }, 'traces are taken again')
    if (this.againMs > 0) this.leftOut = 0
    this.againMs = 0
  }

  /** Undefined: they were taken. */
  private async post(
    body: string,
  ): Promise<{ readonly cause: string; readonly isPassing: boolean } | undefined> {
    const { url, headers } = this.parts
    const late = new AbortController()
    const callOff = callAfter(TIMEOUT_MS, () => late.abort(new Error(`no answer within ${TIMEOUT_MS} ms`)))
    try {
      const reply = await fetch(url, {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/json' },
        body,
        redirect: 'error',
        signal: late.signal,
      })
      await reply.body?.cancel()
      return reply.ok ? undefined : { cause: `HTTP ${reply.status}`, isPassing: LATER.has(reply.status) }
    } catch (error) {
      return { cause: causeOf(error), isPassing: true }
    } finally {
      callOff()
    }
  }
}

/** `fetch` says what it is by its cause. */
function causeOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  return cause instanceof Error ? cause.message || cause.name : String(cause)
}
