import { type Candidate, callIdentity, hasToken, type Reporter } from '../core/candidate.ts'
import { type ElectionVerdict, judgeElection } from '../core/election.ts'
import type { ElectionRuling, Gate, Log, Records, RenewalRuling, RoundQueue } from '../core/ports.ts'
import type { RoundRecord, Terms } from '../core/record.ts'
import { type RoundId, roundKey } from '../core/round.ts'
import { GoneError } from '../errors.ts'
import type { RoundMemory } from './round-memory.ts'
import { pause, within } from './within.ts'

/** The answer to a candidate. Anything but `lost` is a promise: you lead, under this record's fence. */
export interface Election {
  readonly verdict: ElectionVerdict
  /** Missing where only the gate knows of the leader: its record was lost. */
  readonly record?: RoundRecord
}

export interface ElectorParts {
  readonly records: Records
  readonly queue: RoundQueue
  readonly memory: RoundMemory
  /** Present only where its nodes are independent of the record's Redis; else it would add nothing. */
  readonly gate?: Gate
  readonly log: Log
  /** A clock that never goes back. */
  readonly nowMs: () => number
}

/** An answer, or an error that says retry, is given within this time. */
const ANSWER_WITHIN_MS = 1_800
/** How long the gate is held for a record that is about to be written. A facade that dies meanwhile keeps others out no longer. */
const WRITE_WITHIN_MS = 1_000
/** How long a candidate whom the gate refuses looks for the record that explains it: longer than a dead facade holds it. */
const GATE_PATIENCE_MS = 1_300
/** How long the gate holds a leadership that has no lease. */
const GATE_TTL_MS = 3_600_000
const MAX_IN_DOUBT = 10_000

/** Elects one leader a round. */
export class Elector {
  private readonly flights = new Map<string, Promise<Election>>()
  /**
   * Identities of calls without a token that may have become leader, though their callers were told to retry. Nobody
   * was told that they lead, so the next call takes the identity over; or else nobody would run the round.
   */
  private readonly inDoubt = new Map<string, string>()

  constructor(private readonly parts: ElectorParts) {}

  /** The answer as far as this process knows it for certain, else undefined. Costs no round trip. */
  recall(id: RoundId, candidate: Candidate): Election | undefined {
    const key = roundKey(id)
    const record = this.parts.memory.get(key)
    if (record === undefined || this.inDoubt.has(key)) return undefined
    if (record.identity !== candidate.identity) return { verdict: 'lost', record }
    // A leader that asks again shows that it lives: its lease must be extended.
    return record.lease && !record.completion ? undefined : { verdict: 'alreadyLeader', record }
  }

  /**
   * Asks for the lead. At most one decision a round is under way in this process; who asks meanwhile shares it.
   *
   * @throws GoneError `STORE_UNAVAILABLE`, `GATE_UNREACHABLE` or `GATE_NO_MAJORITY`: not decided, safe to retry
   */
  async elect(id: RoundId, candidate: Candidate, terms: Terms): Promise<Election> {
    const key = roundKey(id)
    const flight = this.flights.get(key)
    if (flight) await flight
    const known = this.recall(id, candidate)
    if (known) return known
    return this.fly(id, key, this.withIdentityInDoubt(key, candidate), terms)
  }

  /** A leader's sign of life. */
  async renew(id: RoundId, reporter: Reporter, leaseMs: number | undefined): Promise<RenewalRuling> {
    const sentAtMs = this.parts.nowMs()
    const ruling = await this.parts.records.renew(id, reporter, leaseMs)
    if (ruling.verdict === 'notLed') return ruling
    this.parts.memory.remember(id, ruling, sentAtMs)
    const { gate, lease } = ruling.record
    if (ruling.verdict === 'renewed' && gate && lease) await this.parts.gate?.extend(id, gate, lease.ms)
    return ruling
  }

  private async fly(id: RoundId, key: string, candidate: Candidate, terms: Terms): Promise<Election> {
    const decided = within(ANSWER_WITHIN_MS, this.decide(id, candidate, terms), () => tooSlow(key))
    this.flights.set(key, decided)
    try {
      const election = await decided
      if (election.verdict !== 'lost') await this.showLeader(id, election)
      return election
    } catch (error) {
      this.rememberDoubt(key, candidate)
      throw error
    } finally {
      if (this.flights.get(key) === decided) this.flights.delete(key)
    }
  }

  private async decide(
    id: RoundId,
    candidate: Candidate,
    terms: Terms,
  ): Promise<Election & Partial<ElectionRuling>> {
    const sentAtMs = this.parts.nowMs()
    const ruling = this.parts.gate
      ? await this.decideBehindGate(this.parts.gate, id, candidate, terms)
      : await this.parts.records.decide(id, candidate, terms)
    if (ruling.record !== undefined) this.parts.memory.remember(id, ruling, sentAtMs)
    return ruling
  }

  /** A new leadership passes the gate before the record, so that a record lost in a failover is not led twice. */
  private async decideBehindGate(
    gate: Gate,
    id: RoundId,
    candidate: Candidate,
    terms: Terms,
  ): Promise<ElectionRuling | { readonly verdict: 'lost'; readonly record?: never }> {
    const giveUpMs = this.parts.nowMs() + GATE_PATIENCE_MS
    for (;;) {
      const seen = await this.parts.records.read(id)
      const verdict = judgeElection(seen.record, candidate, seen.nowMs)
      if (seen.record && verdict === 'lost') return { verdict, record: seen.record, nowMs: seen.nowMs }
      if (verdict === 'alreadyLeader') {
        const ruling = await this.parts.records.decide(id, candidate, terms)
        await this.holdGate(gate, id, ruling.record)
        return ruling
      }

      const pass = await gate.pass(id, Math.min(WRITE_WITHIN_MS, terms.leaseMs ?? GATE_TTL_MS))
      switch (pass.kind) {
        case 'passed':
          return this.decideWithPass(gate, pass.value, id, candidate, terms)
        case 'unreachable':
          throw new GoneError(
            'GATE_UNREACHABLE',
            `cannot pass the gate of ${roundKey(id)}: ${pass.detail}; safe to retry`,
          )
        case 'noMajority':
        case 'held':
          // Either another is about to write the record, or candidates have split the nodes between them. Both pass.
          if (this.parts.nowMs() < giveUpMs) break
          if (pass.kind === 'held') return { verdict: 'lost' }
          throw new GoneError(
            'GATE_NO_MAJORITY',
            `cannot pass the gate of ${roundKey(id)}: ${pass.detail}; safe to retry`,
          )
      }
      await pause(20 + Math.random() * 80)
    }
  }

  private async decideWithPass(gate: Gate, value: string, id: RoundId, candidate: Candidate, terms: Terms) {
    let isKept = false
    try {
      const ruling = await this.parts.records.decide(id, candidate, terms, value)
      isKept = ruling.record.gate === value
      if (isKept) await this.holdGate(gate, id, ruling.record)
      return ruling
    } finally {
      if (!isKept) await gate.release(id, value)
    }
  }

  /** For as long as the leadership that the record now says: before its leader is told of it. */
  private async holdGate(
    gate: Gate,
    id: RoundId,
    { gate: value, lease, completion }: RoundRecord,
  ): Promise<void> {
    if (value !== undefined && !completion) await gate.extend(id, value, lease?.ms ?? GATE_TTL_MS)
  }

  /** Puts the round on the board. What fails here is done by the sweeper: the record already says who leads. */
  private async showLeader(id: RoundId, election: Election & Partial<ElectionRuling>): Promise<void> {
    const { verdict, record, nowMs, previous, submission } = election
    if (record === undefined || nowMs === undefined || record.completion) return
    try {
      const more = { ...(previous && { previous }), ...(submission && { submission }) }
      await this.parts.queue.open(id, { verdict, record, nowMs, ...more })
      this.parts.records.acknowledge(id, 'led')
    } catch (error) {
      this.parts.log.warn(
        { round: roundKey(id), cause: String(error) },
        'round not queued yet; the sweeper will',
      )
    }
  }

  private withIdentityInDoubt(key: string, candidate: Candidate): Candidate {
    const identity = this.inDoubt.get(key)
    if (identity === undefined || hasToken(candidate.identity)) return candidate
    // Taken, not shared: two calls with one identity would both be told that they lead.
    this.inDoubt.delete(key)
    return { ...candidate, identity }
  }

  private rememberDoubt(key: string, candidate: Candidate): void {
    if (hasToken(candidate.identity)) return
    this.inDoubt.set(key, candidate.identity)
    if (this.inDoubt.size <= MAX_IN_DOUBT) return
    const oldest = this.inDoubt.keys().next()
    if (!oldest.done) this.inDoubt.delete(oldest.value)
  }
}

function tooSlow(key: string): GoneError {
  return new GoneError(
    'STORE_UNAVAILABLE',
    `cannot decide who leads ${key} within ${ANSWER_WITHIN_MS} ms; safe to retry`,
  )
}

/** Makes identities for calls without a token, different in every process and call. */
export function callIdentities(processId: string): () => string {
  let calls = 0
  return () => callIdentity(`${processId}${(calls++).toString(36)}`)
}
