import { LRUCache } from 'lru-cache'
import type { ApiKey } from '../core/api-key.ts'
import { type Share, type ShareKind, type ShareLedger, USUAL_SHARES } from '../core/key-shares.ts'
import type { Log } from '../core/rounds/round-ports.ts'
import { GoneError } from '../errors.ts'
import { orLater } from './or-later.ts'

interface SharesParts {
  readonly ledger: ShareLedger
  /** Whether what a name is of is still there, of each kind. */
  readonly isThere: Readonly<Record<ShareKind, (name: string) => Promise<boolean>>>
  readonly nowMs: () => number
  readonly log: Log
}

const WORDS: Readonly<Record<ShareKind, string>> = {
  schedules: 'schedules',
  expectations: 'expectations',
  queuedBytes: 'bytes of data of jobs that have not ended',
}

const MEASURE_EVERY_MS = 1_000
const LOOKED_AT = 1_000
const AT_ONCE = 50
/** Each so many claims a few are looked at, so that what has ended does not pile up below the limit. */
const CLAIMS_A_MEASURE = 64
const MAX_KEYS = 10_000

/** What each key has taken of what is kept here. What has ended counts until somebody looks, at the latest when it is too much. */
export class Shares {
  private readonly measuredAtMs = new LRUCache<string, number>({ max: MAX_KEYS })
  private claims = 0

  constructor(private readonly parts: SharesParts) {}

  /** Counts something for the key. @throws GoneError `QUOTA_EXCEEDED` that says which share is used up; `STORE_UNAVAILABLE` */
  async claim(key: ApiKey, kind: ShareKind, name: string, weight = 1): Promise<void> {
    const limit = limitOf(key, kind)
    const share: Share = { keyId: key.id, kind, name, weight }
    this.claims += 1
    if (await this.parts.ledger.claim(share, limit)) {
      if (this.claims % CLAIMS_A_MEASURE === 0) await this.measureBehind(share)
      return
    }
    if (weight <= limit && (await this.measure(share)) && (await this.parts.ledger.claim(share, limit)))
      return
    throw new GoneError('QUOTA_EXCEEDED', `the key ${key.id} has its share of ${WORDS[kind]}: ${limit}`, {
      retryAfterS: 60,
    })
  }

  /** Counts it no more for this key; that others have taken it too is found when somebody looks. */
  async release(key: ApiKey, kind: ShareKind, name: string): Promise<void> {
    await this.parts.ledger.release([{ keyId: key.id, kind, name, weight: 1 }])
  }

  private async measureBehind(share: Share): Promise<void> {
    const { log } = this.parts
    await orLater(
      log,
      { key: share.keyId },
      'shares not looked at',
      async () => void (await this.measure(share)),
    )
  }

  /** Drops what has ended; false if somebody has looked a moment ago, or nothing had ended. */
  private async measure({ keyId, kind }: Share): Promise<boolean> {
    const { ledger, isThere, nowMs } = this.parts
    const of = `${keyId} ${kind}`
    if (nowMs() - (this.measuredAtMs.get(of) ?? Number.NEGATIVE_INFINITY) < MEASURE_EVERY_MS) return false
    this.measuredAtMs.set(of, nowMs())
    const shares = await ledger.oldest({ keyId, kind }, LOOKED_AT)
    const gone: Share[] = []
    const kept: Share[] = []
    for (let at = 0; at < shares.length; at += AT_ONCE) {
      const some = shares.slice(at, at + AT_ONCE)
      const there = await Promise.all(some.map(({ name }) => isThere[kind](name)))
      for (const [index, share] of some.entries()) (there[index] ? kept : gone).push(share)
    }
    await Promise.all([ledger.release(gone), ledger.keep(kept)])
    return gone.length > 0
  }
}

function limitOf({ shares }: ApiKey, kind: ShareKind): number {
  if (kind === 'queuedBytes') return shares.queuedBytes ?? USUAL_SHARES.queuedBytes
  return shares.schedules ?? USUAL_SHARES.schedules
}
