import cluster from 'node:cluster'
import type { FromServer, JointState, MetricJson, Siblings, ToServer } from '../core/siblings.ts'
import type { GoneError } from '../errors.ts'
import { pause, within } from '../waiting.ts'

const TICK_EVERY_MS = 1_000
/** Longer than the parent waits for those that do not answer. */
const ANSWERED_WITHIN_MS = 2_000

type Answer = Extract<ToServer, { kind: 'answer' }>

/**
 * This process' end of the channel to the parent of all processes of its server.
 *
 * @param onStop is called when it is to end: once it is told so, and where its parent has ended
 */
export class ParentChannel implements Siblings {
  private readonly waiting = new Map<number, (answer: Answer) => void>()
  private asked = 0
  private isTicking = false
  private count: () => Promise<readonly MetricJson[]> = async () => []

  constructor(onStop: () => void) {
    process.on('message', (word: ToServer) => {
      switch (word.kind) {
        case 'stop':
          onStop()
          return
        case 'count':
          void this.tellCounts(word.id)
          return
        case 'answer':
          this.waiting.get(word.id)?.(word)
      }
    })
    cluster.worker?.once('disconnect', () => {
      // Node would end this process at once, and nobody is answered then.
      if (cluster.worker) cluster.worker.exitedAfterDisconnect = true
      onStop()
    })
  }

  countBy(count: () => Promise<readonly MetricJson[]>): void {
    this.count = count
  }

  async counts(): Promise<readonly (readonly MetricJson[])[]> {
    const { counts } = await this.ask('counts')
    return counts ?? []
  }

  async state(): Promise<JointState> {
    const { state } = await this.ask('state')
    return state ?? {}
  }

  /** Tells that it serves, and from then on that its event loop does. */
  async serve(url: string): Promise<void> {
    tell({ kind: 'serves', url })
    while (process.connected) {
      await pause(TICK_EVERY_MS)
      this.tick()
    }
  }

  /** Tells why it cannot serve; returns once that is on its way. */
  unable({ code, message }: GoneError): Promise<void> {
    return new Promise((resolve) => tell({ kind: 'unable', code, message }, resolve))
  }

  private async ask(what: 'counts' | 'state'): Promise<Answer> {
    this.asked += 1
    const id = this.asked
    try {
      const answered = new Promise<Answer>((resolve) => this.waiting.set(id, resolve))
      tell({ kind: 'ask', id, what })
      return await within(ANSWERED_WITHIN_MS, answered, () => new Error(NOT_ANSWERED))
    } finally {
      this.waiting.delete(id)
    }
  }

  private async tellCounts(id: number): Promise<void> {
    // It is asked again at the next scrape.
    const counts = await this.count().catch(() => undefined)
    if (counts) tell({ kind: 'counted', id, counts })
  }

  /** A parent that is stopped for a while reads nothing: what would only pile up is left out. */
  private tick(): void {
    if (this.isTicking || !process.connected) return
    this.isTicking = true
    process.send?.({ kind: 'tick' } satisfies FromServer, undefined, undefined, () => {
      this.isTicking = false
    })
  }
}

const NOT_ANSWERED = 'the parent of the processes of this server does not answer'

function tell(word: FromServer, onSent = () => {}): void {
  // Where its parent ends this very moment, this process does next.
  if (process.connected) process.send?.(word, undefined, undefined, onSent)
  else onSent()
}
