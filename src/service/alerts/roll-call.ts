import type { Alerts, Census } from '../../core/alerts/alert-ports.ts'
import { type Candidate, hasToken } from '../../core/rounds/candidate.ts'
import { type RoundId, roundKey } from '../../core/rounds/round.ts'
import type { Log } from '../../core/rounds/round-ports.ts'
import type { Calm } from '../calm.ts'
import { Loop, type Work } from '../loop.ts'

interface Note {
  readonly id: RoundId
  readonly keepMs: number
  readonly identities: Set<string>
  readonly names: Set<string>
}

/** How soon a process knows that a system's candidates are to be counted. See COUNTED_AFTER_MS. */
const REFRESH_EVERY_MS = 2_000
const SEND_EVERY_MS = 500
const MAX_ROUNDS = 10_000
const MAX_IDENTITIES = 1_000
/** Who is more than so many is counted, and not named. */
const MAX_NAMES = 64

/**
 * Notes who asks for the rounds of systems that expect a number of candidates, and sends that in batches: most candidates
 * are answered from memory, so the store does not know of them.
 */
export class RollCall implements Work {
  private counted: ReadonlyMap<string, number> = new Map()
  private notes = new Map<string, Note>()
  /** It became calm, and which systems are counted was not read again since: until then whoever asks is held here. */
  private hasRested = false
  private calm: Calm | undefined
  private held: (readonly [RoundId, Candidate])[] = []
  // Even: COUNTED_AFTER_MS is how long such a pause takes at most, and what is done after it.
  private readonly refreshing = new Loop({
    everyMs: REFRESH_EVERY_MS,
    isEven: true,
    work: () => this.refresh(),
    putOff: (cause) => this.putOff(cause),
  })
  private readonly sending = new Loop({
    everyMs: SEND_EVERY_MS,
    isEven: true,
    work: () => this.send(),
    putOff: (cause) => this.putOff(cause),
  })

  constructor(
    private readonly alerts: Pick<Alerts, 'counted'>,
    private readonly census: Census,
    private readonly log: Log,
  ) {}

  /** Costs a look into a map, which is empty where nothing is counted. */
  note(id: RoundId, who: Candidate): void {
    if (this.hasRested && this.held.length < MAX_ROUNDS) this.held.push([id, who])
    const keepMs = this.counted.get(id.system)
    if (keepMs !== undefined) this.write(id, who, keepMs)
  }

  /** Learns which systems are counted. Where that fails, those known so far are. */
  async refresh(): Promise<void> {
    try {
      this.counted = await this.alerts.counted()
      this.hasRested = this.calm?.isNow ?? false
      for (const [id, who] of this.held.splice(0)) this.note(id, who)
    } catch (error) {
      this.log.debug({ cause: String(error) }, 'counted systems not read')
    }
  }

  start(calm?: Calm): void {
    this.calm = calm
    calm?.follow((isCalm) => {
      if (isCalm) this.hasRested = true
    })
    this.refreshing.start(calm)
    this.sending.start(calm)
  }

  /** Sends what was noted. */
  async stop(): Promise<void> {
    await Promise.all([this.refreshing.stop(), this.sending.stop()])
    await this.send()
  }

  private write(id: RoundId, { identity, address, name }: Candidate, keepMs: number): void {
    const key = roundKey(id)
    let note = this.notes.get(key)
    if (note === undefined) {
      if (this.notes.size >= MAX_ROUNDS) return
      note = { id, keepMs, identities: new Set(), names: new Set() }
      this.notes.set(key, note)
    }
    // Each call without a token has an identity of its own, also where it is the same caller's.
    if (note.identities.size < MAX_IDENTITIES) note.identities.add(hasToken(identity) ? identity : address)
    // Its port is another at each call.
    if (note.names.size < MAX_NAMES) note.names.add(name ?? address.replace(/:\d+$/, ''))
  }

  private async send(): Promise<void> {
    const batch = this.notes
    if (batch.size === 0) return
    this.notes = new Map()
    for (const [key, note] of batch) {
      try {
        await this.census.add(note.id, [...note.identities], note.keepMs)
        await this.census.call(note.id, [...note.names])
      } catch (error) {
        this.log.debug({ round: key, cause: String(error) }, 'candidates not counted yet')
        this.putBack(key, note)
      }
    }
  }

  private putOff(cause: string): void {
    this.log.debug({ cause }, 'roll call put off')
  }

  private putBack(key: string, note: Note): void {
    const { identities, names } = this.notes.get(key) ?? note
    for (const identity of note.identities) if (identities.size < MAX_IDENTITIES) identities.add(identity)
    for (const name of note.names) if (names.size < MAX_NAMES) names.add(name)
    if (this.notes.size < MAX_ROUNDS) this.notes.set(key, { ...note, identities, names })
  }
}
