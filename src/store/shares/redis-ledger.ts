import type { Share, ShareKind, ShareLedger } from '../../core/key-shares.ts'
import { attempt } from '../../redis/attempt.ts'
import type { RedisClient } from '../../redis/connections.ts'
import { defineSteps, type Steps } from '../../redis/steps.ts'

const STEPS = ['claim', 'oldest', 'settle'] as const
/** What was just counted may be on its way still. */
const LOOKED_AT_FOR_S = 60

/** The ledger in Redis: of each key and kind a sorted set and its sum, in one Cluster slot. */
export class RedisLedger implements ShareLedger {
  private readonly steps: Steps<(typeof STEPS)[number]>

  constructor(redis: RedisClient) {
    this.steps = defineSteps(redis, {
      beside: import.meta.url,
      names: STEPS,
      prefix: 'gone_shares',
      keyCount: 2,
    })
  }

  async claim(share: Share, limit: number): Promise<boolean> {
    return attempt(`count for the key ${share.keyId}`, async () => {
      const counted = await this.steps.claim(...ledgerKeys(share), memberOf(share), share.weight, limit)
      return Number(counted) === 1
    })
  }

  async oldest({ keyId, kind }: Pick<Share, 'keyId' | 'kind'>, limit: number): Promise<readonly Share[]> {
    return attempt(`look for what counts for the key ${keyId}`, async () => {
      const members = await this.steps.oldest(...ledgerKeys({ keyId, kind }), LOOKED_AT_FOR_S, limit)
      return (members as string[]).map((member) => shareOf(keyId, kind, member))
    })
  }

  async release(shares: readonly Share[]): Promise<void> {
    await this.settle('gone', shares)
  }

  async keep(shares: readonly Share[]): Promise<void> {
    await this.settle('kept', shares)
  }

  /** @param shares of one key and kind */
  private async settle(how: 'gone' | 'kept', shares: readonly Share[]): Promise<void> {
    const [first] = shares
    if (first === undefined) return
    await attempt(`count for the key ${first.keyId}`, () =>
      this.steps.settle(...ledgerKeys(first), how, ...shares.map(memberOf)),
    )
  }
}

/** Where the things of a key are kept, and their sum. */
export function ledgerKeys({ keyId, kind }: { keyId: string; kind: ShareKind }): [string, string] {
  const key = `gone:{~shares}:${keyId}:${kind}`
  return [key, `${key}:sum`]
}

function memberOf({ weight, name }: Share): string {
  return `${weight} ${name}`
}

function shareOf(keyId: string, kind: ShareKind, member: string): Share {
  const [weight = '', name = ''] = member.split(' ')
  return { keyId, kind, name, weight: Number(weight) }
}
