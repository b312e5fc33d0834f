import { type Death, LAST_LINES, type LeftJob, MAX_LINE_CHARS } from '../../core/fleet/death.ts'
import type { Fleet, HandBack } from '../../core/fleet/fleet-ports.ts'
import type { InstanceFacts } from '../../core/fleet/instance.ts'
import { roundKey } from '../../core/rounds/round.ts'
import type { Log } from '../../core/rounds/round-ports.ts'
import { endsWithin, pause } from '../../waiting.ts'
import type { Life } from './life.ts'

export interface AftermathParts {
  readonly fleet: Pick<Fleet, 'die'>
  readonly handBack: HandBack
  /** What is said of one that had never worked. */
  readonly factsOf: (life: Life) => InstanceFacts
  readonly log: Log
  readonly nowMs: () => number
}

/** What a dead process had sent may reach Redis after its end. */
const AGAIN_AFTER_MS = 1_000
const RETRY_EVERY_MS = 300
/** Longer than that Redis is away: then BullMQ finds the jobs stalled, and the instance is lost. */
const GIVE_UP_MS = 60_000
/** Of a process that ends itself. */
const SETTLE_MS = 3_000

/**
 * What is to be done once an instance has died: what it left behind is ended, its jobs go back to their queues, and what is known of
 * its death is kept.
 */
export class Aftermath {
  private readonly underway = new Set<Promise<void>>()

  constructor(private readonly parts: AftermathParts) {}

  begin(life: Life): void {
    const ended = this.settle(life).catch((error: unknown) =>
      this.parts.log.warn(
        { place: life.place, cause: String(error) },
        'jobs of a dead instance were not handed back; others take them once they are found stalled',
      ),
    )
    this.underway.add(ended)
    void ended.finally(() => this.underway.delete(ended))
  }

  /** Returns when all is done, or after a moment. */
  async stop(): Promise<void> {
    await endsWithin(SETTLE_MS, Promise.all(this.underway))
  }

  private async settle(life: Life): Promise<void> {
    const { fleet, factsOf, log, nowMs } = this.parts
    const facts = factsOf(life)
    const death = deathOf(life, nowMs())
    await life.process.endLeft()
    const jobs = await this.insist(() => this.handBack(life))
    await this.insist(() => fleet.die(facts, { ...death, jobs }))
    const rounds = jobs.map(({ round }) => roundKey(round))
    log.info({ place: life.place, instance: facts.id, rounds }, 'what a dead instance ran was handed back')
    if (!life.facts) return
    await pause(AGAIN_AFTER_MS)
    const late = await this.insist(() => this.handBack(life))
    if (late.length > 0) await this.insist(() => fleet.die(facts, { ...death, jobs: [...jobs, ...late] }))
  }

  private async handBack({ facts, locks }: Life): Promise<readonly LeftJob[]> {
    return facts ? this.parts.handBack.handBack({ id: facts.id, locks }) : []
  }

  /** Redis may be away for a while. */
  private async insist<T>(act: () => Promise<T>): Promise<T> {
    const { nowMs } = this.parts
    const untilMs = nowMs() + GIVE_UP_MS
    for (;;) {
      try {
        return await act()
      } catch (error) {
        if (nowMs() > untilMs) throw error
        await pause(RETRY_EVERY_MS)
      }
    }
  }
}

function deathOf(life: Life, nowMs: number): Omit<Death, 'jobs'> {
  const { exit, cause = 'crash', startedAtMs, tail, memory } = life
  return {
    code: exit?.code ?? null,
    signal: exit?.signal ?? null,
    cause,
    livedMs: Math.round(nowMs - startedAtMs),
    lines: tail.last(LAST_LINES).map(({ text }) => text.slice(0, MAX_LINE_CHARS)),
    memory: memory.map(({ atMs, rssBytes }) => ({ agoMs: Math.round(nowMs - atMs), rssBytes })),
  }
}
