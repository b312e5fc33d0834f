import Redlock, { ExecutionError, Lock, ResourceLockedError } from 'redlock'
import type { Gate, GatePass, Log } from '../core/ports.ts'
import { type RoundId, roundKey } from '../core/round.ts'
import type { RedisClient } from '../redis/connections.ts'

/** As redlock's own, but takes the lock again on a node where nobody has it. ARGV: 1 value  2 ttl ms */
const EXTEND_OR_TAKE = `
  local value = redis.call('get', KEYS[1])
  if value and value ~= ARGV[1] then return 0 end
  redis.call('set', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return 1
`

/** The gate as a Redlock over independent Redis nodes. The one place that knows redlock's errors. */
export class RedlockGate implements Gate {
  private readonly redlock: Redlock
  private readonly quorum: number

  /** @param nodes an odd number of clients with a command timeout */
  constructor(
    nodes: readonly RedisClient[],
    private readonly log: Log,
  ) {
    // Retries inside redlock can return a lock that has already expired; whoever needs another try asks again.
    this.redlock = new Redlock(nodes, { retryCount: 0 }, { extendScript: () => EXTEND_OR_TAKE })
    this.quorum = Math.floor(nodes.length / 2) + 1
  }

  async pass(id: RoundId, ttlMs: number): Promise<GatePass> {
    try {
      const lock = await this.redlock.acquire([gateKey(id)], ttlMs)
      return { kind: 'passed', value: lock.value }
    } catch (error) {
      return this.refusal(error)
    }
  }

  async extend(id: RoundId, value: string, ttlMs: number): Promise<boolean> {
    try {
      await this.redlock.extend(this.lock(id, value), ttlMs)
      return true
    } catch (error) {
      this.log.warn({ round: roundKey(id), cause: String(error) }, 'gate could not be extended')
      return false
    }
  }

  async release(id: RoundId, value: string): Promise<void> {
    try {
      await this.redlock.release(this.lock(id, value))
    } catch (error) {
      this.log.debug(
        { round: roundKey(id), cause: String(error) },
        'gate could not be released; it ends by itself',
      )
    }
  }

  /** redlock says the same for "another has it" and "Redis is down": only the votes tell. */
  private async refusal(error: unknown): Promise<GatePass> {
    if (!(error instanceof ExecutionError)) throw error
    const [stats] = await Promise.all(error.attempts)
    const against = [...(stats?.votesAgainst.values() ?? [])]
    const held = against.filter((vote) => vote instanceof ResourceLockedError).length
    const silent = against.length - held
    if (held >= this.quorum) return { kind: 'held' }
    const detail = `${stats?.votesFor.size ?? 0} for, ${held} held by others, ${silent} not answering`
    return silent >= this.quorum ? { kind: 'unreachable', detail } : { kind: 'noMajority', detail }
  }

  /** A lock known by its value alone, so that any process can extend or release what another acquired. */
  private lock(id: RoundId, value: string): Lock {
    return new Lock(this.redlock, [gateKey(id)], value, [], Number.MAX_SAFE_INTEGER)
  }
}

function gateKey(id: RoundId): string {
  return `gone:gate:${roundKey(id)}`
}
