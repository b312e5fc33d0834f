import type { Share, ShareLedger } from '../../core/key-shares.ts'

const LOOKED_AT_FOR_MS = 60_000

/** The twin of RedisLedger in memory, for tests of what stands on it. */
export class MemoryLedger implements ShareLedger {
  private readonly counted = new Map<string, { readonly share: Share; lookedAtMs: number }>()

  constructor(private readonly nowMs: () => number) {}

  async claim(share: Share, limit: number): Promise<boolean> {
    if (this.counted.has(textOf(share))) return true
    const sum = this.of(share).reduce((total, { share: { weight } }) => total + weight, 0)
    if (sum + share.weight > limit) return false
    this.counted.set(textOf(share), { share, lookedAtMs: this.nowMs() })
    return true
  }

  async oldest(of: Pick<Share, 'keyId' | 'kind'>, limit: number): Promise<readonly Share[]> {
    return this.of(of)
      .filter(({ lookedAtMs }) => lookedAtMs <= this.nowMs() - LOOKED_AT_FOR_MS)
      .sort((a, b) => a.lookedAtMs - b.lookedAtMs)
      .slice(0, limit)
      .map(({ share }) => share)
  }

  async release(shares: readonly Share[]): Promise<void> {
    for (const share of shares) this.counted.delete(textOf(share))
  }

  async keep(shares: readonly Share[]): Promise<void> {
    for (const share of shares) {
      const kept = this.counted.get(textOf(share))
      if (kept) kept.lookedAtMs = this.nowMs()
    }
  }

  private of({ keyId, kind }: Pick<Share, 'keyId' | 'kind'>) {
    return [...this.counted.values()].filter(({ share }) => share.keyId === keyId && share.kind === kind)
  }
}

function textOf({ keyId, kind, weight, name }: Share): string {
  return [keyId, kind, weight, name].join(' ')
}
