import type { Alerts } from '../../core/alerts/alert-ports.ts'
import type { Fleet, LeftJobs, QueueReader, RegionJobs } from '../../core/fleet/fleet-ports.ts'
import {
  type Judgement,
  judge,
  marksOf,
  NOTHING_WATCHED,
  unattended,
  type Watched,
} from '../../core/fleet/health.ts'
import type { Instance } from '../../core/fleet/instance.ts'
import { KEPT_ENDED_MS } from '../../core/fleet/instance.ts'
import { type Wrong, whyOver, wrongsOf } from '../../core/fleet/wrongs.ts'
import type { Log } from '../../core/rounds/round-ports.ts'
import { eachAtOnce } from '../../waiting.ts'
import type { AlertTally } from '../alerts/alert-tally.ts'
import { Loop } from '../loop.ts'
import { RegionWatch } from './region-watch.ts'

export interface FleetWatchParts {
  readonly fleet: Fleet
  readonly queues: QueueReader
  readonly regionJobs: RegionJobs
  readonly leftJobs: LeftJobs
  readonly log: Log
  readonly alerts: Pick<Alerts, 'note' | 'noted'>
  readonly tally: Pick<AlertTally, 'note'>
  /** Whether somebody is told of alerts. */
  readonly tells: boolean
}

const TURN_EVERY_MS = 1_000
const JUDGED_EACH = 5
/** How much is told of at one look; the rest is at the next. */
const MAX_TOLD = 100
/** Of how many queues it is looked at one turn for jobs that nobody holds. */
const MAX_HANDED_ON = 200

/**
 * Takes silent instances for lost, ends orders whose time is over, and judges by what is consumed who is stuck. Runs in
 * every server; two that do the same do no harm.
 */
export class FleetWatch {
  private watched: Watched = NOTHING_WATCHED
  private turns = 0
  private handedOn = 0
  readonly loop: Loop
  private readonly regions: RegionWatch

  constructor(private readonly parts: FleetWatchParts) {
    const putOff = (cause: string) => parts.log.debug({ cause }, 'the fleet was not looked at')
    this.regions = new RegionWatch({ jobs: parts.regionJobs, log: parts.log })
    this.loop = new Loop({ everyMs: TURN_EVERY_MS, work: () => this.turn(), putOff })
  }

  async turn(): Promise<void> {
    const { fleet, log } = this.parts
    const lost = await fleet.reap(KEPT_ENDED_MS)
    if (lost > 0) log.warn({ lost }, 'instances are lost: nothing was heard of them')
    this.turns += 1
    if (this.turns % JUDGED_EACH === 0) await this.judge()
  }

  /** Less often, because it costs a look at each queue. */
  private async judge(): Promise<void> {
    const { fleet, queues } = this.parts
    await fleet.expire()
    const [{ instances, nowMs }, facts] = await Promise.all([fleet.snapshot(), queues.read()])
    const judgement = judge(instances, facts, this.watched, nowMs)
    this.watched = judgement.watched
    for (const { id, stuckSinceMs } of marksOf(instances, judgement)) await fleet.judge(id, stuckSinceMs)
    await this.tell(instances, judgement, nowMs)
    await this.regions.check(instances, facts, nowMs)
    await this.handOn(unattended(instances, facts))
  }

  /** One whose look fails keeps nobody else waiting; of many the rest is at the next turn. */
  private async handOn(workers: readonly string[]): Promise<void> {
    const from = this.handedOn % Math.max(1, workers.length)
    const some = [...workers.slice(from), ...workers.slice(0, from)].slice(0, MAX_HANDED_ON)
    this.handedOn = from + some.length
    await eachAtOnce(10, some, async (worker) => {
      const failed = (error: unknown) =>
        this.parts.log.debug({ worker, cause: String(error) }, 'jobs that nobody holds were not looked for')
      await this.parts.leftJobs.handOn(worker).catch(failed)
    })
  }

  /** Opens alerts of what is wrong, and resolves those of what is not any more, whoever has opened them. */
  private async tell(instances: readonly Instance[], judgement: Judgement, nowMs: number): Promise<void> {
    const { alerts, tally, tells, log } = this.parts
    const open = await alerts.noted()
    const isOpen = ({ kind, name }: Pick<Wrong, 'kind' | 'name'>) =>
      open.some((one) => one.kind === kind && one.name === name)
    const begun = wrongsOf(instances, judgement).filter((wrong) => !isOpen(wrong))
    for (const wrong of begun.slice(0, MAX_TOLD)) {
      const news = await alerts.note({ ...wrong, isWrong: true }, tells)
      if (news === undefined) continue
      tally.note(news)
      log.warn({ alert: news.alert.id, kind: wrong.kind, of: wrong.name }, `alert opened: ${wrong.detail}`)
    }
    for (const one of open) {
      const detail = whyOver(one, instances, judgement)
      if (detail === undefined) continue
      const news = await alerts.note({ ...one, isWrong: false, sinceMs: nowMs, detail }, tells)
      if (news === undefined) continue
      tally.note(news)
      log.info({ alert: news.alert.id, kind: one.kind, of: one.name }, `alert resolved: ${detail}`)
    }
  }
}
