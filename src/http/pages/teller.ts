import { pause } from '../../waiting.ts'

/** Somebody who looks at a page. */
export interface Viewer {
  readonly send: (text: string) => void
  /** Ends what is sent; the page comes again, or does not. */
  readonly end: () => void
  /** False once whoever looks may not any more. */
  readonly isIn: () => Promise<boolean>
}

interface TellerParts {
  /** What each topic of the pages is like now, in short: another text is a change. */
  readonly readings: Readonly<Record<string, () => Promise<string>>>
}

const READ_EVERY_MS = 1_000
/** Proxies cut what is silent for a minute, and a page that hears nothing for long takes the connection for lost. */
const PING_EVERY_TURNS = 15
const CHECK_EVERY_TURNS = 4
const MAX_VIEWERS = 200

/** Tells all pages that are open at this server which topics have changed. Looks once for all of them, and never where there is none. */
export class Teller {
  private readonly viewers = new Set<Viewer>()
  private readonly stopping = new AbortController()
  private running: Promise<void> | undefined

  constructor(private readonly parts: TellerParts) {}

  /** False if there are too many already. */
  add(viewer: Viewer): boolean {
    if (this.viewers.size >= MAX_VIEWERS || this.stopping.signal.aborted) return false
    this.viewers.add(viewer)
    this.running ??= this.run().finally(() => {
      this.running = undefined
    })
    return true
  }

  remove(viewer: Viewer): void {
    this.viewers.delete(viewer)
  }

  /** Ends all streams, so that this server can. */
  async stop(): Promise<void> {
    this.stopping.abort()
    for (const viewer of this.viewers) {
      viewer.send(said('bye', {}))
      viewer.end()
    }
    this.viewers.clear()
    await this.running
  }

  private async run(): Promise<void> {
    const seen = new Map<string, string>()
    for (let turn = 0; this.viewers.size > 0 && !this.stopping.signal.aborted; turn += 1) {
      const changed = await this.readAll(seen)
      if (changed.length > 0) this.tell(said('changed', { topics: changed }))
      if (turn % PING_EVERY_TURNS === 0) this.tell(said('ping', {}))
      if (turn % CHECK_EVERY_TURNS === 0) await this.sendOut()
      await pause(READ_EVERY_MS, this.stopping.signal)
    }
  }

  private async readAll(seen: Map<string, string>): Promise<string[]> {
    const all = Object.entries(this.parts.readings).map(async ([topic, read]) => {
      // Where the store is away that is a change too, and so is its return.
      const found = await read().catch(() => 'away')
      const isChanged = seen.has(topic) && seen.get(topic) !== found
      seen.set(topic, found)
      return isChanged ? [topic] : []
    })
    return (await Promise.all(all)).flat()
  }

  private tell(text: string): void {
    for (const viewer of this.viewers) viewer.send(text)
  }

  /** Who has been logged out, or whose key was revoked, sees no more. */
  private async sendOut(): Promise<void> {
    await Promise.all(
      [...this.viewers].map(async (viewer) => {
        if (await viewer.isIn()) return
        viewer.send(said('logout', {}))
        viewer.end()
        this.remove(viewer)
      }),
    )
  }
}

/** A server-sent event. */
export function said(event: string, data: object): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`
}
