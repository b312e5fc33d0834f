import type { Alerts, Census } from '../core/alert-ports.ts'
import { type Candidate, hasToken } from '../core/candidate.ts'
import type { Log } from '../core/ports.ts'
import { type RoundId, roundKey } from '../core/round.ts'
import { pause } from './within.ts'

interface Note {
  readonly id: RoundId
  readonly keepMs: number
  readonly identities: Set<string>
}

/** How soon a process knows that a system's candidates are to be counted. See COUNTED_AFTER_MS. */
const REFRESH_EVERY_MS = 2_000
const SEND_EVERY_MS = 500
const MAX_ROUNDS = 10_000
const MAX_IDENTITIES = 1_000

/**
 * Notes who asks for the rounds of systems that expect a number of candidates, and sends that in batches: most candidates
 * are answered from memory, so the store does not know of them.
 */
export class RollCall {
  private counted: ReadonlyMap<string, number> = new Map()
  private notes = new Map<string, Note>()
  private readonly stopping = new AbortController()
  private running: Promise<unknown> | undefined

  constructor(
    private readonly alerts: Pick<Alerts, 'counted'>,
    private readonly census: Census,
    private readonly log: Log,
  ) {}

  /** Costs a look into a map, which is empty where nothing is counted. */
  note(id: RoundId, who: Candidate): void {
    const keepMs = this.counted.get(id.system)
    if (keepMs !== undefined) this.write(id, who, keepMs)
  }

  /** Learns which systems are counted. Where that fails, those known so far are. */
  async refresh(): Promise<void> {
    try {
      this.counted = await this.alerts.counted()
    } catch (error) {
      this.log.debug({ cause: String(error) }, 'counted systems not read')
    }
  }

  start(): void {
    this.running ??= Promise.all([
      this.every(REFRESH_EVERY_MS, () => this.refresh()),
      this.every(SEND_EVERY_MS, () => this.send()),
    ])
  }

  /** Sends what was noted. May be called twice. */
  async stop(): Promise<void> {
    this.stopping.abort()
    await this.running
    await this.send()
  }

  private write(id: RoundId, { identity, address }: Candidate, keepMs: number): void {
    const key = roundKey(id)
    let note = this.notes.get(key)
    if (note === undefined) {
      if (this.notes.size >= MAX_ROUNDS) return
      note = { id, keepMs, identities: new Set() }
      this.notes.set(key, note)
    }
    // Each call without a token has an identity of its own, also where it is the same caller's.
    if (note.identities.size < MAX_IDENTITIES) note.identities.add(hasToken(identity) ? identity : address)
  }

  private async send(): Promise<void> {
    const batch = this.notes
    if (batch.size === 0) return
    this.notes = new Map()
    for (const [key, note] of batch) {
      try {
        await this.census.add(note.id, [...note.identities], note.keepMs)
      } catch (error) {
        this.log.debug({ round: key, cause: String(error) }, 'candidates not counted yet')
        this.putBack(key, note)
      }
    }
  }

  private putBack(key: string, note: Note): void {
    const { identities } = this.notes.get(key) ?? note
    for (const identity of note.identities) if (identities.size < MAX_IDENTITIES) identities.add(identity)
    if (this.notes.size < MAX_ROUNDS) this.notes.set(key, { ...note, identities })
  }

  private async every(ms: number, run: () => Promise<void>): Promise<void> {
    while (!this.stopping.signal.aborted) {
      await run()
      await pause(ms, this.stopping.signal)
    }
  }
}
