import Redlock, { ExecutionError, Lock, ResourceLockedError } from 'redlock'
import { type RoundId, roundKey } from '../core/rounds/round.ts'
import type { Gate, GateLock, GatePass, LockAhead, Log } from '../core/rounds/round-ports.ts'
import type { RedisClient } from '../redis/connections.ts'
import { endsWithin } from '../waiting.ts'

/** As redlock's own, but takes the lock again on a node where nobody has it. ARGV: 1 value  2 ttl ms */
const EXTEND_OR_TAKE = `
  local value = redis.call('get', KEYS[1])
  if value and value ~= ARGV[1] then return 0 end
  redis.call('set', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return 1
`

/** Lets go of what this owner holds. ARGV: 1 what its values begin with */
const RELEASE_OF = `
  local value = redis.call('get', KEYS[1])
  if value and string.sub(value, 1, #ARGV[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end
  return 0
`

const GATE_PREFIX = 'gone:gate:'

/** How long a refusal waits for the nodes that have not voted, where those that have do not agree why. */
const LATE_VOTES_MS = 150

/** The gate as a Redlock over independent Redis nodes. The one place that knows redlock's errors. */
export class RedlockGate implements Gate {
  private readonly redlock: Redlock
  private readonly quorum: number

  /**
   * @param nodes an odd number of clients with a command timeout
   * @param isOfRecords true where the only node is the one server that also keeps the records
   * @param owner by whom what is passed here can be told, once this process is no more
   */
  constructor(
    private readonly nodes: readonly RedisClient[],
    private readonly log: Log,
    private readonly isOfRecords = false,
    private readonly owner?: string,
  ) {
    this.redlock = this.open()
    this.quorum = Math.floor(nodes.length / 2) + 1
  }

  async pass(id: RoundId, ttlMs: number): Promise<GatePass> {
    const against: Error[] = []
    // One of its own tells the votes against this pass as they come; of a single node there is nobody to wait for.
    const redlock = this.nodes.length === 1 ? this.redlock : this.open((vote) => against.push(vote))
    try {
      const lock = await redlock.acquire([gateKey(id)], ttlMs)
      return { kind: 'passed', value: lock.value }
    } catch (error) {
      return this.refusal(error, against.slice(0, this.quorum))
    }
  }

  lock(id: RoundId, ttlMs: number): GateLock | undefined {
    if (!this.isOfRecords) return undefined
    return { key: gateKey(id), value: this.owned(crypto.randomUUID()), ttlMs }
  }

  /** The same for a round that is not known yet: `keyPrefix` with the round's `roundKey` behind it is the key. */
  lockAhead(ttlMs: number): LockAhead | undefined {
    if (!this.isOfRecords) return undefined
    return { keyPrefix: GATE_PREFIX, value: this.owned(crypto.randomUUID()), ttlMs }
  }

  async extend(id: RoundId, value: string, ttlMs: number): Promise<boolean> {
    try {
      await this.redlock.extend(this.known(id, value), ttlMs)
      return true
    } catch (error) {
      this.log.warn({ round: roundKey(id), cause: String(error) }, 'gate could not be extended')
      return false
    }
  }

  async release(id: RoundId, value: string): Promise<void> {
    try {
      await this.redlock.release(this.known(id, value))
    } catch (error) {
      this.log.debug(
        { round: roundKey(id), cause: String(error) },
        'gate could not be released; it ends by itself',
      )
    }
  }

  /** Lets go of the round where a process has it that is no more. A node that does not answer keeps it until it ends by itself. */
  async releaseOf(id: RoundId, owner: string): Promise<void> {
    const released = this.nodes.map((node) => node.eval(RELEASE_OF, 1, gateKey(id), prefixOf(owner)))
    for (const ended of await Promise.allSettled(released))
      if (ended.status === 'rejected')
        this.log.debug(
          { round: roundKey(id), cause: String(ended.reason) },
          'gate of a dead process not released',
        )
  }

  /**
   * redlock says the same for "another has it" and "Redis is down": only the votes tell. A majority decides; a node that is
   * slow is not waited for longer than one that is dead would be.
   *
   * @param deciding the votes that made a majority against it
   */
  private async refusal(error: unknown, deciding: readonly Error[]): Promise<GatePass> {
    if (!(error instanceof ExecutionError)) throw error
    if (deciding.length === this.quorum && deciding.every(isHeld)) return { kind: 'held' }
    const [stats] = await orNothing(LATE_VOTES_MS, Promise.all(error.attempts))
    const against = stats ? [...stats.votesAgainst.values()] : deciding
    const held = against.filter(isHeld).length
    const silent = against.length - held
    if (held >= this.quorum) return { kind: 'held' }
    const votesFor = stats ? `${stats.votesFor.size} for, ` : ''
    const detail = `${votesFor}${held} held by others, ${silent} not answering`
    return silent >= this.quorum ? { kind: 'unreachable', detail } : { kind: 'noMajority', detail }
  }

  private open(onVoteAgainst?: (vote: Error) => void): Redlock {
    // Retries inside redlock can return a lock that has already expired; whoever needs another try asks again.
    const redlock = new OwnedRedlock(this.nodes, { retryCount: 0 }, { extendScript: () => EXTEND_OR_TAKE })
    redlock.own = (value) => this.owned(value)
    if (onVoteAgainst) redlock.on('error', onVoteAgainst)
    return redlock
  }

  private owned(value: string): string {
    return this.owner === undefined ? value : `${prefixOf(this.owner)}${value}`
  }

  /** A lock known by its value alone, so that any process can extend or release what another acquired. */
  private known(id: RoundId, value: string): Lock {
    return new Lock(this.redlock, [gateKey(id)], value, [], Number.MAX_SAFE_INTEGER)
  }
}

/** Its values tell who has made them. */
class OwnedRedlock extends Redlock {
  own = (value: string) => value

  override _random(): string {
    return this.own(super._random())
  }
}

function prefixOf(owner: string): string {
  return `${owner}.`
}

function gateKey(id: RoundId): string {
  return `${GATE_PREFIX}${roundKey(id)}`
}

function isHeld(vote: Error): boolean {
  return vote instanceof ResourceLockedError
}

/** What is promised, or nothing after `ms`. */
async function orNothing<T>(ms: number, promise: Promise<readonly T[]>): Promise<readonly T[]> {
  return (await endsWithin(ms, promise)) ? promise : []
}
