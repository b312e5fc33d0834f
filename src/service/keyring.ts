import { type ApiKey, type ApiKeys, isKey, keyIdIn } from '../core/api-key.ts'
import type { Log } from '../core/rounds/round-ports.ts'
import type { Calm } from './calm.ts'
import { Loop, type Work } from './loop.ts'

/** `unsure`: the store has not answered for so long that the key may have been revoked. */
export type KeyFinding =
  | { readonly kind: 'known'; readonly key: ApiKey }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'unsure' }

interface KeyringParts {
  readonly store: ApiKeys
  /** True: without a key nobody gets in, from the start on. False: from the first key on. */
  readonly isRequired: boolean
  /** That keys are in use is kept here too, in case the store is lost. */
  readonly note?: InUseNote
  readonly nowMs: () => number
  readonly log: Log
}

export interface InUseNote {
  isThere(): boolean
  /** May fail: it is the second of two. */
  leave(): void
}

const READ_EVERY_MS = 4_000
const READ_AGAIN_MS = 1_000
/** What was read before is not believed any more: so a revocation takes effect within 10 s, whatever happens. */
const BELIEVED_MS = 9_000

/**
 * The API keys, as this process read them a moment ago: to ask costs no round trip.
 *
 * Once there was a key, one is needed, also after a restart: a store that was emptied, or the end of the last key, opens
 * nothing. That none is needed any more somebody has to say.
 */
export class Keyring implements Work {
  private keys: ReadonlyMap<string, ApiKey> = new Map()
  private isClosed: boolean
  private readAtMs = Number.NEGATIVE_INFINITY
  private calm: Calm | undefined
  /** It became calm, and since it is no more the keys have not been read again. */
  private hasRested = false
  private waking: Promise<void> | undefined
  /** Even, so that of two that fail the second is over before what was read is believed no more. */
  private readonly loop = new Loop({
    everyMs: READ_EVERY_MS,
    isEven: true,
    againMs: READ_AGAIN_MS,
    work: () => this.read(),
    putOff: (cause) => this.parts.log.warn({ cause }, 'API keys not read again'),
  })

  constructor(private readonly parts: KeyringParts) {
    this.isClosed = parts.isRequired || (parts.note?.isThere() ?? false)
  }

  /** True if nobody needs a key. */
  get isOpen(): boolean {
    return !this.isClosed
  }

  /** All that are known, as they were read last; those that are over are among them. */
  list(): readonly ApiKey[] {
    return [...this.keys.values()]
  }

  get isEmpty(): boolean {
    return this.keys.size === 0
  }

  /** @throws GoneError `STORE_UNAVAILABLE` */
  async read(): Promise<void> {
    const startMs = this.parts.nowMs()
    const { keys, areInUse } = await this.parts.store.read()
    this.keys = new Map(keys.map((key) => [key.id, key]))
    this.readAtMs = startMs
    if (!this.calm?.isNow) this.hasRested = false
    if (keys.length === 0 && !areInUse) return
    this.isClosed = true
    if (!areInUse) await this.parts.store.setInUse(true)
    if (this.parts.note?.isThere() === false) this.parts.note.leave()
  }

  /** What was read is of before the calm: who may come in is to be read anew. */
  get isStale(): boolean {
    if (!this.hasRested) return false
    return !this.calm?.isNow || this.parts.nowMs() - this.readAtMs > READ_EVERY_MS
  }

  /** Reads at once, however many ask for it together. @throws GoneError `STORE_UNAVAILABLE` */
  wake(): Promise<void> {
    this.waking ??= this.read().finally(() => {
      this.waking = undefined
    })
    return this.waking
  }

  /** The key that this text is. */
  find(text: string): KeyFinding {
    const id = keyIdIn(text)
    if (id === undefined) return { kind: 'unknown' }
    const finding = this.keyOf(id)
    return finding.kind === 'known' && !isKey(finding.key, text) ? { kind: 'unknown' } : finding
  }

  /** The key of this id, for whoever has shown it before. */
  keyOf(id: string): KeyFinding {
    if (this.parts.nowMs() - this.readAtMs > BELIEVED_MS) return { kind: 'unsure' }
    const key = this.keys.get(id)
    const isOver = key?.expiresAtMs !== undefined && key.expiresAtMs <= Date.now()
    return key === undefined || isOver ? { kind: 'unknown' } : { kind: 'known', key }
  }

  /** Reads again every few seconds, or while it is calm when somebody asks. */
  start(calm?: Calm): void {
    this.calm = calm
    calm?.follow((isCalm) => {
      if (isCalm) this.hasRested = true
    })
    this.loop.start(calm)
  }

  stop(): Promise<void> {
    return this.loop.stop()
  }
}
