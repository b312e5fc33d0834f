import { escapePart, type RoundId, unescapePart } from '../../core/rounds/round.ts'
import type { OutboxEntry, OutboxStep, SeenEntry, Sighting } from '../../core/rounds/round-ports.ts'
import type { RedisClient } from '../../redis/connections.ts'
import { defineSteps, type Steps } from '../../redis/steps.ts'
import { keyOf, recordKeyOf } from './record-keys.ts'

/** How an outbox entry says which step left it; no escaped round has a "~". */
const MARKS: Readonly<Record<OutboxStep, string>> = { submitted: '~s', led: '', overdue: '~o', finished: '~' }
const STEP_OF_MARK = Object.fromEntries(
  Object.entries(MARKS).map(([step, mark]) => [mark, step as OutboxStep]),
)

const SEND_EVERY_MS = 50
/** Entries that a script takes out together: it takes Redis a ms or two. */
const AT_ONCE = 500

/** An entry that was told, and what says whether it is still of what was seen then. */
interface Told {
  readonly entry: string
  readonly seen: string
  /** The key of the record whose submission it is of. */
  readonly record?: string
}

/** The entries of a system's outbox, as it has them. */
export function outboxEntriesOf(system: string, entries: readonly string[]): OutboxEntry[] {
  return entries.map((entry) => ({
    id: { system, round: unescapePart(entry.replace(/~.*$/, '')) },
    step: STEP_OF_MARK[entry.replace(/^[^~]*/, '')] ?? 'led',
    entry,
  }))
}

/** Takes out of the outboxes what the queues were told, and nothing that was noted after that was seen. */
export class Acknowledgements {
  private readonly steps: Steps<'acknowledge'>
  private noted = new Map<string, Told[]>()
  private sending: NodeJS.Timeout | undefined

  constructor(redis: RedisClient) {
    this.steps = defineSteps(redis, { beside: import.meta.url, prefix: 'gone', names: ['acknowledge'] })
  }

  /** To be sent soon, with what else is noted until then. */
  note(id: RoundId, step: OutboxStep, seen: Sighting): void {
    const told = toldOf({ id, step, entry: escapePart(id.round) + MARKS[step] }, seen)
    const ofSystem = this.noted.get(id.system)
    if (ofSystem) ofSystem.push(told)
    else this.noted.set(id.system, [told])
    this.sending ??= setTimeout(() => void this.flush(), SEND_EVERY_MS)
  }

  /** Sends what was noted. What is lost here stays in the outbox, and is done again without harm. */
  async flush(): Promise<void> {
    clearTimeout(this.sending)
    this.sending = undefined
    const batch = this.noted
    this.noted = new Map()
    await Promise.allSettled([...batch].map(([system, told]) => this.sendAll(system, told)))
  }

  /** Entries of one system, sent now. */
  async send(entries: readonly SeenEntry[]): Promise<void> {
    const [first] = entries
    if (first === undefined) return
    await this.sendAll(
      first.entry.id.system,
      entries.map(({ entry, seen }) => toldOf(entry, seen)),
    )
  }

  private async sendAll(system: string, told: readonly Told[]): Promise<void> {
    const parts = Array.from({ length: Math.ceil(told.length / AT_ONCE) }, (_, nth) =>
      told.slice(nth * AT_ONCE, (nth + 1) * AT_ONCE),
    )
    await Promise.all(
      parts.map((some) => {
        const ofRecords = some.filter(({ record }) => record !== undefined)
        const keys = [keyOf(system, 'outbox'), ...ofRecords.map(({ record = '' }) => record)]
        const inOrder = [...ofRecords, ...some.filter(({ record }) => record === undefined)]
        return this.steps.acknowledge(
          keys.length,
          ...keys,
          ...inOrder.flatMap(({ entry, seen }) => [entry, seen]),
        )
      }),
    )
  }
}

function toldOf({ id, step, entry }: OutboxEntry, { nowMs, submission }: Sighting): Told {
  if (step !== 'submitted') return { entry, seen: String(nowMs) }
  return { entry, seen: String(submission?.submittedAtMs ?? ''), record: recordKeyOf(id) }
}
