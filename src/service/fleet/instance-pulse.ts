import type { Fleet, Pokes } from '../../core/fleet/fleet-ports.ts'
import type { InstanceFacts, InstanceStats } from '../../core/fleet/instance.ts'
import type { OrderTask } from '../../core/fleet/order.ts'
import type { TargetSettings } from '../../core/fleet/worker-settings.ts'
import type { Log } from '../../core/rounds/round-ports.ts'
import { endsWithin, pause } from '../../waiting.ts'

/** What this process runs, as far as the fleet is concerned. */
export interface RunningInstance {
  facts(): InstanceFacts
  /** @param storeMs what a moment of this process' clock is on the store's */
  stats(storeMs: (ownMs: number) => number): InstanceStats
  /**
   * Takes what is set of its workers; what one refuses it goes on without, and says so.
   */
  configure(all: readonly TargetSettings[]): Promise<void>
  /**
   * Does what it is told. `ends` where that is to end: then the end of this process reports it.
   *
   * @throws Error whose message says why it cannot
   */
  obey(task: OrderTask): Promise<'done' | 'ends'>
}

export interface InstancePulseParts {
  readonly fleet: Fleet
  readonly pokes: Pokes
  readonly instance: RunningInstance
  readonly log: Log
  /** A clock that never goes back. */
  readonly nowMs: () => number
}

const PULSE_EVERY_MS = 2_000
/** A Redis that is away is not waited for. */
const SUBSCRIBED_WITHIN_MS = 500
const SETTINGS_WITHIN_MS = 1_000
/** Who was silent for so long is lost: four pulses may fail. */
const LEASE_MS = 10_000

/** Tells the fleet what runs here, and has it do what it is told. Where the store is away, jobs go on all the same. */
export class InstancePulse {
  private readonly stopping = new AbortController()
  private told = ''
  private known = 0
  private settings = 0
  private configuring: Promise<unknown> | undefined
  private storeAheadMs = 0
  private wake = new AbortController()
  private running: Promise<void> | undefined
  private obeying: Promise<void> = Promise.resolve()
  private readonly obeyed = new Set<string>()
  /** What ends this instance, once its turn has come. */
  private readonly awaited = new Set<OrderTask>()
  private readonly ending: OrderTask[] = []
  private isHeard = true
  private leavePokes: (() => void) | undefined
  private tellListed = () => {}
  /** Kept when the store has heard of this instance, or could not. */
  readonly listed = new Promise<void>((resolve) => {
    this.tellListed = resolve
  })

  constructor(private readonly parts: InstancePulseParts) {}

  /** What is set goes before what the workers' files say, also for the first job; but jobs do not wait for it for long. */
  async prepare(): Promise<void> {
    const { fleet, instance } = this.parts
    const told = fleet.settings().then(({ all }) => instance.configure(all))
    this.configuring = told
      .catch(() => undefined)
      .finally(() => {
        this.configuring = undefined
      })
    await endsWithin(SETTINGS_WITHIN_MS, this.configuring)
  }

  /** Registers, then goes on by itself. Does not wait for a store that is away. */
  start(): void {
    this.running ??= this.run()
  }

  /** Says anew what it is: somebody else has said of it what is no longer so. */
  retell(): void {
    this.told = ''
    this.hurry()
  }

  /** Says at once what has changed here. */
  hurry(): void {
    this.wake.abort()
  }

  /** Says that this instance ends, after all its jobs have. May be called twice. */
  async stop(): Promise<void> {
    if (this.stopping.signal.aborted) return
    this.stopping.abort()
    this.wake.abort()
    await this.running
    await this.obeying
    this.leavePokes?.()
    const { fleet, instance, log } = this.parts
    const { id } = instance.facts()
    try {
      for (const { order } of this.ending) await fleet.report(order, id, 'done', '')
      for (const { order } of this.awaited)
        await fleet.report(order, id, 'failed', 'it has ended before its turn came')
      await fleet.leave(id)
    } catch (error) {
      log.warn({ cause: String(error) }, 'not taken off the fleet; it is lost in a few seconds')
    }
  }

  private async run(): Promise<void> {
    const { pokes, instance } = this.parts
    const listening = pokes.listen(instance.facts().id, () => this.hurry())
    const left = listening.then((leave) => {
      this.leavePokes = leave
    })
    // Whoever sees this instance may give it an order at once.
    await endsWithin(SUBSCRIBED_WITHIN_MS, left)
    while (!this.stopping.signal.aborted) {
      this.wake = new AbortController()
      await this.pulse()
      this.tellListed()
      await pause(PULSE_EVERY_MS, this.wake.signal)
    }
  }

  private async pulse(): Promise<void> {
    const { fleet, instance, log, nowMs } = this.parts
    const facts = instance.facts()
    const text = JSON.stringify(facts)
    const stats = instance.stats((ownMs) => Math.round(ownMs + this.storeAheadMs))
    const sentAtMs = nowMs()
    try {
      const [reply] = await fleet.pulse(
        [{ id: facts.id, stats, known: this.known, ...(text !== this.told && { facts }) }],
        LEASE_MS,
      )
      if (!this.isHeard) log.info({}, 'the fleet hears of this instance again')
      this.isHeard = true
      if (reply === undefined) return
      this.storeAheadMs = reply.nowMs - sentAtMs
      this.told = reply.isUnknown ? '' : text
      if (reply.isUnknown) this.hurry()
      if (reply.settings !== undefined && reply.settings !== this.settings) this.configure(reply.settings)
      if (reply.orders === undefined) return
      this.known = reply.orders.revision
      this.forgetAllBut(reply.orders.tasks)
      for (const task of reply.orders.tasks) this.take(facts.id, task)
    } catch (error) {
      // What the store was told is not certain.
      this.told = ''
      if (this.isHeard)
        log.warn({ cause: String(error) }, 'the fleet does not hear of this instance; jobs go on')
      this.isHeard = false
    }
  }

  /** Beside the pulse, as workers may take their time for it; what is set meanwhile the pulses after it bring. */
  private configure(revision: number): void {
    const { fleet, instance, log } = this.parts
    const configure = async () => {
      await instance.configure((await fleet.settings()).all)
      this.settings = revision
      this.hurry()
    }
    this.configuring ??= configure()
      .catch((error: unknown) =>
        log.debug({ cause: String(error) }, 'what is set of workers was not taken yet'),
      )
      .finally(() => {
        this.configuring = undefined
      })
  }

  /** What is not asked any more is settled, and would be refused if it came again. */
  private forgetAllBut(tasks: readonly OrderTask[]): void {
    for (const order of this.obeyed)
      if (!tasks.some((task) => task.order === order)) this.obeyed.delete(order)
  }

  /** One after the other, each once, and none beside the pulse: a drain must not silence it. */
  private take(id: string, task: OrderTask): void {
    if (this.obeyed.has(task.order)) return
    this.obeyed.add(task.order)
    this.obeying = this.obeying.then(() => this.obey(id, task))
  }

  private async obey(id: string, task: OrderTask): Promise<void> {
    try {
      if (!(await this.parts.fleet.claim(task.order, id))) return
      const outcome = this.parts.instance.obey(task).catch((error: Error) => error)
      if (task.verb !== 'restart' && task.verb !== 'stop') return await this.tell(id, task, await outcome)
      this.awaited.add(task)
      // Its turn may be long in coming, and others are obeyed until then.
      void outcome.then((how) => this.tell(id, task, how)).catch((error: unknown) => this.putOff(task, error))
    } catch (error) {
      this.putOff(task, error)
    }
  }

  private async tell(id: string, task: OrderTask, how: 'done' | 'ends' | Error): Promise<void> {
    const { fleet, log } = this.parts
    this.awaited.delete(task)
    log.info({ order: task.order, do: task.verb }, how instanceof Error ? `cannot: ${how.message}` : 'obeys')
    if (how === 'ends') this.ending.push(task)
    else if (how === 'done') await fleet.report(task.order, id, 'done', '')
    else await fleet.report(task.order, id, 'failed', how.message)
    this.hurry()
  }

  /** The next pulse brings it again. */
  private putOff({ order }: OrderTask, error: unknown): void {
    this.obeyed.delete(order)
    this.known = 0
    this.parts.log.warn({ order, cause: String(error) }, 'order put off')
  }
}
