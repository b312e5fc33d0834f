import { LRUCache } from 'lru-cache'
import { type Candidate, callIdentity, hasToken, type Reporter } from '../../core/rounds/candidate.ts'
import { type ElectionVerdict, judgeElection } from '../../core/rounds/election.ts'
import { isVacant, type SeenRecord, type Terms } from '../../core/rounds/record.ts'
import { type RoundId, roundKey } from '../../core/rounds/round.ts'
import type { ElectionRuling, Gate, Log, Records, RenewalRuling } from '../../core/rounds/round-ports.ts'
import { GoneError } from '../../errors.ts'
import { pause, within } from '../../waiting.ts'
import { orLater } from '../or-later.ts'
import type { Board } from './board.ts'
import type { DeadlineWatch } from './deadline-watch.ts'
import { gateValueOf } from './job-hold.ts'
import type { Leadership, RoundMemory } from './round-memory.ts'

/** The answer to a candidate. Anything but `lost` is a promise: you lead, under the fence of the record that was seen. */
export interface Election {
  readonly verdict: ElectionVerdict
  /** Missing where only the gate knows of the leader: its record was lost. */
  readonly leadership?: Leadership
  /** The record as it was answered just now; missing where a loser is answered from memory. */
  readonly seen?: SeenRecord
  /** The caller was gone before it could be told: what was decided for it is taken back, and it is to be told nothing. */
  readonly isUnheard?: true
}

export interface ElectorParts {
  readonly records: Records
  readonly board: Pick<Board, 'tell'>
  readonly deadlines: Pick<DeadlineWatch, 'expect'>
  readonly memory: RoundMemory
  /** Present only where its nodes are independent of the record's Redis; else it would add nothing. */
  readonly gate?: Gate
  readonly log: Log
  /** A clock that never goes back. */
  readonly nowMs: () => number
}

/** What a call asks for. */
interface Ask {
  readonly candidate: Candidate
  readonly terms: Terms
  /** True once its caller can be told nothing: it has gone, or was told to retry. */
  readonly isGone: () => boolean
}

/** Without a record where the gate is held for one that was lost. */
type Decision = ElectionRuling | { readonly verdict: 'lost'; readonly record?: never }

interface Answer {
  readonly decision: Decision
  /** As of an election. */
  readonly isUnheard?: true
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
/** Decisions of others that a call waits for one after the other, where each was taken back. */
const MAX_SHARED = 10

/** Elects one leader a round. */
export class Elector {
  /** Decisions that are under way; undefined comes of one that was taken back. */
  private readonly flights = new Map<string, Promise<Decision | undefined>>()
  /**
   * Identities of calls without a token that may have become leader, though their callers were told to retry. Nobody
   * was told that they lead, so the next call takes the identity over; or else nobody would run the round.
   */
  private readonly inDoubt = new LRUCache<string, string>({ max: MAX_IN_DOUBT })

  constructor(private readonly parts: ElectorParts) {}

  /** That the candidate has lost, as far as this process knows it for certain, else undefined. Costs no round trip. */
  recall(id: RoundId, candidate: Candidate): Election | undefined {
    const key = roundKey(id)
    const leadership = this.parts.memory.get(key)
    if (leadership === undefined || this.inDoubt.has(key)) return undefined
    // Whether it still leads the record says: another server may have ended the round.
    return leadership.identity === candidate.identity ? undefined : { verdict: 'lost', leadership }
  }

  /**
   * Asks for the lead. At most one decision a round is under way in this process; a candidate that asks meanwhile shares it, unless
   * it is taken back.
   *
   * @param isGone true once the caller has gone, whom nobody can tell that it leads
   * @throws GoneError `STORE_UNAVAILABLE`, `GATE_UNREACHABLE` or `GATE_NO_MAJORITY`: not decided, safe to retry
   */
  async elect(
    id: RoundId,
    candidate: Candidate,
    terms: Terms,
    isGone: () => boolean = () => false,
  ): Promise<Election> {
    let isLate = false
    const ask = { candidate, terms, isGone: () => isLate || isGone() }
    const { decision, isUnheard } = await within(ANSWER_WITHIN_MS, this.answer(id, ask), () => {
      isLate = true
      return tooSlow(roundKey(id))
    })
    // Not within the limit: whoever leads by now has to be told so.
    if (decision.verdict === 'elected' || decision.verdict === 'takenOver')
      await this.onLed(id, decision, terms)
    return { ...electionOf(decision), ...(isUnheard && { isUnheard }) }
  }

  /** A leader's sign of life. */
  async renew(id: RoundId, reporter: Reporter, leaseMs: number | undefined): Promise<RenewalRuling> {
    const sentAtMs = this.parts.nowMs()
    const ruling = await this.parts.records.renew(id, reporter, leaseMs)
    if (ruling.verdict === 'notLed') return ruling
    this.parts.memory.remember(id, ruling, sentAtMs)
    if (this.parts.gate && ruling.verdict === 'renewed' && ruling.record.lease) {
      await this.holdGate(this.parts.gate, id, ruling)
    }
    return ruling
  }

  /**
   * Takes back that a caller leads whom this was not told, and never will be: whoever asks next leads. Not where its token has
   * asked again meanwhile, and been told.
   */
  async takeBack(id: RoundId, { verdict, seen, isUnheard }: Election): Promise<void> {
    if (seen === undefined || verdict === 'lost' || isUnheard) return
    const { memory, records, gate, log } = this.parts
    const { identity, fence, gate: value } = seen.record
    const about = { round: roundKey(id), fence }
    memory.forget(id)
    const vacate = async () => {
      // An earlier call may have been told, where this one was given the same lead.
      if (verdict === 'alreadyLeader') return this.rememberDoubt(roundKey(id), seen.record)
      if (!(await records.vacate(id, { identity, fence }))) return
      log.info(about, 'lead taken back: its caller was gone before it was told')
      if (value !== undefined) await gate?.release(id, value)
    }
    await orLater(log, about, 'lead not taken back; the round turns red at its deadline', vacate)
    // Who looked meanwhile has seen, and remembered, that it leads.
    memory.forget(id)
  }

  private async answer(id: RoundId, ask: Ask): Promise<Answer> {
    const key = roundKey(id)
    for (let shares = 0; shares < MAX_SHARED; shares += 1) {
      const flight = this.flights.get(key)
      if (flight === undefined) break
      const shared = await flight
      // What was decided while this call waited is as fresh as its own decision would be.
      if (shared?.record && shared.record.identity !== ask.candidate.identity)
        return { decision: { ...shared, verdict: 'lost' } }
      if (ask.isGone()) return { decision: { verdict: 'lost' }, isUnheard: true }
      if (shared !== undefined) break
    }
    return this.fly(id, { ...ask, candidate: this.withIdentityInDoubt(key, ask.candidate) })
  }

  private async fly(id: RoundId, ask: Ask): Promise<Answer> {
    const key = roundKey(id)
    const decided = within(ANSWER_WITHIN_MS, this.decide(id, ask.candidate, ask.terms), () => tooSlow(key))
    const flight: Promise<Decision | undefined> = this.unlessGone(id, decided, ask.isGone).finally(() => {
      if (this.flights.get(key) === flight) this.flights.delete(key)
    })
    this.flights.set(key, flight)
    try {
      const isHeard = (await flight) !== undefined
      return { decision: await decided, ...(!isHeard && { isUnheard: true as const }) }
    } catch (error) {
      this.rememberDoubt(key, ask.candidate)
      throw error
    }
  }

  /** The decision; undefined where its caller is gone, and it was taken back before anybody else was told of it. */
  private async unlessGone(
    id: RoundId,
    decided: Promise<Decision>,
    isGone: () => boolean,
  ): Promise<Decision | undefined> {
    const decision = await decided
    if (decision.verdict === 'lost' || !isGone()) return decision
    await this.takeBack(id, electionOf(decision))
    return undefined
  }

  private async decide(id: RoundId, candidate: Candidate, terms: Terms): Promise<Decision> {
    const sentAtMs = this.parts.nowMs()
    const decision = this.parts.gate
      ? await this.decideBehindGate(this.parts.gate, id, candidate, terms)
      : await this.parts.records.decide(id, candidate, terms)
    if (decision.record !== undefined) this.parts.memory.remember(id, decision, sentAtMs)
    return decision
  }

  /** A new leadership passes the gate before the record, so that a record lost in a failover is not led twice. */
  private async decideBehindGate(
    gate: Gate,
    id: RoundId,
    candidate: Candidate,
    terms: Terms,
  ): Promise<Decision> {
    const giveUpMs = this.parts.nowMs() + GATE_PATIENCE_MS
    for (;;) {
      const seen = await this.parts.records.read(id)
      const verdict = judgeElection(seen.record, candidate, seen.nowMs)
      if (seen.record && verdict === 'lost') return { verdict, record: seen.record, nowMs: seen.nowMs }
      if (verdict === 'alreadyLeader') {
        const ruling = await this.parts.records.decide(id, candidate, terms)
        await this.holdGate(gate, id, ruling)
        return ruling
      }

      // Whoever took the lead back may have died before the gate was given up.
      const left = seen.record && isVacant(seen.record) ? gateValueOf(seen.record) : undefined
      if (left !== undefined) await gate.release(id, left)
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
          // Without a record it is held for one that was lost; with one, nobody can be said to lead.
          if (pass.kind === 'held' && seen.record === undefined) return { verdict: 'lost' }
          throw new GoneError(
            'GATE_NO_MAJORITY',
            `cannot pass the gate of ${roundKey(id)}: ${pass.kind === 'held' ? 'it is held for a lead that has ended' : pass.detail}; safe to retry`,
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
      if (isKept) await this.holdGate(gate, id, ruling)
      return ruling
    } finally {
      if (!isKept) await gate.release(id, value)
    }
  }

  /** For as long as the leadership that the record now says: before its leader is told of it. */
  private async holdGate(
    gate: Gate,
    id: RoundId,
    { record: { gate: value, lease, completion }, nowMs }: SeenRecord,
  ): Promise<void> {
    if (value === undefined || completion) return
    await gate.extend(id, value, lease ? lease.expiresAtMs - nowMs : GATE_TTL_MS)
  }

  private async onLed(id: RoundId, ruling: ElectionRuling, { deadlineMs }: Terms): Promise<void> {
    this.parts.deadlines.expect(deadlineMs, id.system)
    // What was led or submitted before may be on the board as overdue.
    const wasThere = ruling.verdict === 'takenOver' || ruling.submission !== undefined
    if (wasThere) await this.parts.board.tell({ id, ...ruling }, 'led')
  }

  private withIdentityInDoubt(key: string, candidate: Candidate): Candidate {
    const identity = this.inDoubt.get(key)
    if (identity === undefined || hasToken(candidate.identity)) return candidate
    // Taken, not shared: two calls with one identity would both be told that they lead.
    this.inDoubt.delete(key)
    return { ...candidate, identity }
  }

  private rememberDoubt(key: string, candidate: Pick<Candidate, 'identity'>): void {
    if (!hasToken(candidate.identity)) this.inDoubt.set(key, candidate.identity)
  }
}

function electionOf(decision: Decision): Election {
  const { verdict, record } = decision
  return record ? { verdict, leadership: record, seen: decision } : { verdict }
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
