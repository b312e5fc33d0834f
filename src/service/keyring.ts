import { type ApiKey, type ApiKeys, isKey, keyIdIn } from '../core/api-key.ts'
import type { Log } from '../core/ports.ts'

/** `unsure`: the store has not answered for so long that the key may have been revoked. */
export type KeyFinding =
  | { readonly kind: 'known'; readonly key: ApiKey }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'unsure' }

interface KeyringParts {
  readonly store: ApiKeys
  /** True: without a key nobody gets in, from the start on. False: from the first key on. */
  readonly isRequired: boolean
  readonly nowMs: () => number
  readonly log: Log
}

const READ_EVERY_MS = 4_000
const READ_AGAIN_MS = 1_000
/** What was read before is not believed any more: so a revocation takes effect within 10 s, whatever happens. */
const BELIEVED_MS = 9_000

/**
 * The API keys, as this process read them a moment ago: to ask costs no round trip.
 *
 * Once there was a key, one is needed as long as the process lives: a store that was emptied opens nothing.
 */
export class Keyring {
  private keys: ReadonlyMap<string, ApiKey> = new Map()
  private isClosed: boolean
  private readAtMs = Number.NEGATIVE_INFINITY
  private secret: string | undefined
  private timer: NodeJS.Timeout | undefined
  private reading: Promise<void> | undefined
  private isStopped = false

  constructor(private readonly parts: KeyringParts) {
    this.isClosed = parts.isRequired
  }

  /** True if nobody needs a key. */
  get isOpen(): boolean {
    return !this.isClosed
  }

  get isEmpty(): boolean {
    return this.keys.size === 0
  }

  /** What sessions are signed with; undefined until somebody has logged in. */
  get sessionSecret(): string | undefined {
    return this.secret
  }

  /** @throws GoneError `STORE_UNAVAILABLE` */
  async read(): Promise<void> {
    const startMs = this.parts.nowMs()
    const { keys, sessionSecret } = await this.parts.store.read()
    this.keys = new Map(keys.map((key) => [key.id, key]))
    this.secret = sessionSecret
    this.readAtMs = startMs
    if (keys.length > 0) this.isClosed = true
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

  /** @throws GoneError `STORE_UNAVAILABLE` */
  async keepSessionSecret(fresh: string): Promise<string> {
    this.secret ??= await this.parts.store.keepSessionSecret(fresh)
    return this.secret
  }

  /** Reads again every few seconds. */
  start(): void {
    this.readLater(READ_EVERY_MS)
  }

  async stop(): Promise<void> {
    this.isStopped = true
    clearTimeout(this.timer)
    await this.reading
  }

  private readLater(ms: number): void {
    if (this.isStopped) return
    this.timer = setTimeout(() => {
      this.reading = this.read().then(
        () => this.readLater(READ_EVERY_MS),
        (error: unknown) => {
          this.parts.log.warn({ cause: String(error) }, 'API keys not read again')
          this.readLater(READ_AGAIN_MS)
        },
      )
    }, ms).unref()
  }
}
