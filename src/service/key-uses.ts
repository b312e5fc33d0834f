import type { ApiKey, KeyUses } from '../core/api-key.ts'
import type { Log } from '../core/rounds/round-ports.ts'
import { Loop, type Work } from './loop.ts'

/** Each server tells of a key at most so often. */
const SEND_EVERY_MS = 60_000

interface KeyUseNotesParts {
  readonly store: KeyUses
  /** A clock that never goes back. */
  readonly nowMs: () => number
  readonly log: Log
}

/** Notes when keys are used, and tells the store of all of them together, now and then: a request costs no round trip. */
export class KeyUseNotes implements Work {
  private used = new Map<string, number>()
  private readonly loop = new Loop({
    everyMs: SEND_EVERY_MS,
    work: () => this.send(),
    putOff: (cause) => this.parts.log.debug({ cause }, 'uses of keys not noted yet'),
  })

  constructor(private readonly parts: KeyUseNotesParts) {}

  note({ id }: Pick<ApiKey, 'id'>): void {
    this.used.set(id, this.parts.nowMs())
  }

  /** When keys were last used at whichever server, by the store's clock: as it was told, up to a minute ago. */
  async all(): Promise<ReadonlyMap<string, number>> {
    await this.send()
    return this.parts.store.read()
  }

  start(): void {
    this.loop.start()
  }

  async stop(): Promise<void> {
    await this.loop.stop()
    await this.send().catch((error) =>
      this.parts.log.debug({ cause: String(error) }, 'uses of keys not noted'),
    )
  }

  private async send(): Promise<void> {
    if (this.used.size === 0) return
    const sent = this.used
    this.used = new Map()
    const nowMs = this.parts.nowMs()
    try {
      await this.parts.store.note(new Map([...sent].map(([id, atMs]) => [id, nowMs - atMs])))
    } catch (error) {
      // What was used since is newer.
      this.used = new Map([...sent, ...this.used])
      throw error
    }
  }
}
