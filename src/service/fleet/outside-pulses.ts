import { LRUCache } from 'lru-cache'
import type { Fleet } from '../../core/fleet/fleet-ports.ts'
import { type Instance, NO_RELEASE, type WorkerStats } from '../../core/fleet/instance.ts'
import type { OrderTask } from '../../core/fleet/order.ts'
import type { OutsidePulse } from '../../core/fleet/pulse-body.ts'
import type { PulseJson } from '../../core/fleet/pulse-wire.ts'
import { beginOf, MINUTE_MS, NOTHING_DONE } from '../../core/fleet/series.ts'
import type { SeriesStore } from '../../core/fleet/series-ports.ts'
import { settingsFor, type TargetSettings } from '../../core/fleet/worker-settings.ts'
import type { Log } from '../../core/rounds/round-ports.ts'
import { GoneError } from '../../errors.ts'

/** Four pulses may fail. */
const LEASE_MS = 10_000
/** What no revision is: all that an instance is told comes with each answer until it has reported. */
const NONE_KNOWN = -1

const PRESENT_EVERY_MS = 15_000
const MAX_PRESENT = 10_000

export interface OutsidePulsesParts {
  readonly fleet: Fleet
  readonly series: Pick<SeriesStore, 'tell'>
  readonly log: Log
  /** Of this server. */
  readonly version: string
  /** A clock that never goes back. */
  readonly nowMs: () => number
}

/** What an instance is told. */
export interface OutsideReply {
  readonly nowMs: number
  readonly tasks: readonly OrderTask[]
  readonly settings: NonNullable<PulseJson['settings']>
}

/** What is heard of instances that speak HTTP alone, and what they are told. */
export class OutsidePulses {
  /** All that was set at that revision. */
  private set: { readonly revision: number; readonly all: readonly TargetSettings[] } | undefined
  /** When it was last noted that they are there. */
  private readonly present = new LRUCache<string, number>({ max: MAX_PRESENT })

  constructor(private readonly parts: OutsidePulsesParts) {}

  /**
   * Lists the instance for ten seconds, or takes it off.
   *
   * @param mayWorkFor throws where who says it may not work for this worker
   * @returns what it is to obey now, and is to be configured with; the same again until it has reported
   * @throws GoneError `STORE_UNAVAILABLE`, `FORBIDDEN` where another instance has its id, and what `mayWorkFor` throws
   */
  async take(pulse: OutsidePulse, mayWorkFor: (worker: string) => void): Promise<OutsideReply> {
    const { facts, isEnd, reports, workers, cpuPercent, rssBytes, loopDelayMs } = pulse
    const { id } = facts
    const { fleet } = this.parts
    for (const { name } of workers) mayWorkFor(name)
    const { instance, nowMs } = await fleet.instance(id)
    // Ids are random, and what has one stays what it is: who is refused now would be refused in any step that follows.
    if (instance) this.refuseForeign(instance, mayWorkFor)
    for (const { order, outcome, detail } of reports) await fleet.report(order, id, outcome, detail)
    if (isEnd) {
      await fleet.leave(id)
      return { nowMs, tasks: [], settings: [] }
    }
    const stats = workers.map(({ name, running, done, failed, takenMs }): [string, WorkerStats] => [
      name,
      { running, done, failed, ...(takenMs !== undefined && { lastTakenAtMs: Math.round(nowMs - takenMs) }) },
    ])
    const [reply] = await fleet.pulse(
      [
        {
          id,
          facts,
          stats: { workers: Object.fromEntries(stats), cpuPercent, rssBytes, loopDelayMs },
          known: NONE_KNOWN,
        },
      ],
      LEASE_MS,
    )
    void this.notePresence(pulse, nowMs)
    const tasks: OrderTask[] = []
    // Whoever is handed an order obeys it: that is noted now, so that it does not expire meanwhile.
    for (const task of reply?.orders?.tasks ?? []) if (await fleet.claim(task.order, id)) tasks.push(task)
    return { nowMs, tasks, settings: await this.settingsFor(pulse, reply?.settings) }
  }

  /** What is set of each of its workers, where it has another revision of that. */
  private async settingsFor(
    { facts, workers }: OutsidePulse,
    last?: number,
  ): Promise<OutsideReply['settings']> {
    if (last === undefined) return []
    if (this.set?.revision !== last)
      this.set = { revision: last, all: (await this.parts.fleet.settings()).all }
    const { all } = this.set
    return workers.flatMap(({ name: worker, settings: told }) => {
      const { revision, settings } = settingsFor(all, facts.id, worker)
      return revision === (told?.revision ?? 0) ? [] : [{ worker, revision, settings }]
    })
  }

  /** For the series of its workers. What it has done for them is counted where it is reported. Never rejects. */
  private async notePresence({ facts, cpuPercent, rssBytes }: OutsidePulse, storeMs: number): Promise<void> {
    const { series, log, nowMs } = this.parts
    const { id: instance, workers, release } = facts
    if (nowMs() - (this.present.get(instance) ?? Number.NEGATIVE_INFINITY) < PRESENT_EVERY_MS) return
    this.present.set(instance, nowMs())
    const used = { cpuMs: (cpuPercent / 100) * MINUTE_MS, upMs: MINUTE_MS, rssBytes }
    const sum = { ...NOTHING_DONE, ...used, minutes: 1, instances: 1 }
    const minuteMs = beginOf(storeMs, MINUTE_MS)
    const mark = release === NO_RELEASE ? '' : release
    const told = workers.map(({ name: worker }) =>
      series.tell({ minuteMs, worker, instance, release: mark, sum }),
    )
    for (const one of await Promise.allSettled(told))
      if (one.status === 'rejected') log.debug({ instance, cause: String(one.reason) }, 'not in the series')
  }

  /** Who may work for one worker says nothing in the name of another's instance, nor of one that is a process of gone. */
  private refuseForeign(instance: Instance, mayWorkFor: (worker: string) => void): void {
    const { id, workers, overHttp, place, version } = instance
    // What an older server has listed has no mark.
    const isOurs = !overHttp && (place !== undefined || version === this.parts.version)
    if (isOurs) throw new GoneError('FORBIDDEN', `id: ${id} is an instance that does not speak HTTP`)
    for (const { name } of workers) mayWorkFor(name)
  }
}
