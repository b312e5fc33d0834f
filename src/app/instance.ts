import type { InstanceFacts, InstanceStats, OwnMode, WorkerStats } from '../core/fleet/instance.ts'
import type { OrderTask } from '../core/fleet/order.ts'
import type { Pressure } from '../core/fleet/pressure.ts'
import { type SettingsTaken, settingsFor, type TargetSettings } from '../core/fleet/worker-settings.ts'
import type { JobWorker } from '../queue/job-worker.ts'
import type { RunningInstance } from '../service/fleet/instance-pulse.ts'
import { VERSION } from '../version.ts'
import { ProcessUsage } from './process-usage.ts'

/** What is said of an instance besides what it finds out itself. */
export interface InstanceLabels {
  /** New at each start. */
  readonly id: string
  /** Of its supervisor. */
  readonly place?: string
  readonly release: string
  readonly region: string
  readonly host: string
  /** It takes jobs that are for its region. */
  readonly regional?: true
}

/** How a process ends that was ordered to be started again. */
export type OrderedEnd = 'restart' | 'stop'

/** This process as the fleet sees it: its workers, and what they are told. */
export class WorkInstance implements RunningInstance {
  private mode: OwnMode = 'registered'
  private readonly usage = new ProcessUsage()

  /** @param end has this process end once its jobs have ended, or says why it does not */
  constructor(
    private readonly workers: ReadonlyMap<string, JobWorker>,
    private readonly labels: InstanceLabels,
    private readonly end: (how: OrderedEnd) => Promise<void>,
  ) {}

  private settings: Readonly<Record<string, SettingsTaken>> | undefined
  private pressure: Pressure | undefined

  facts(): InstanceFacts {
    const workers = [...this.workers].map(([name, { slots }]) => ({ name, slots }))
    return {
      workers,
      ...this.labels,
      pid: process.pid,
      version: VERSION,
      mode: this.pressure && this.mode === 'registered' ? 'unregistered' : this.mode,
      ...(this.pressure && this.mode !== 'stopping' && { pressure: this.pressure }),
      ...(this.settings && { settings: this.settings }),
    }
  }

  stats(storeMs: (ownMs: number) => number): InstanceStats {
    const workers = [...this.workers].map(([name, { counts }]): readonly [string, WorkerStats] => {
      const { lastTakenMs, ...rest } = counts
      return [name, { ...rest, ...(lastTakenMs !== undefined && { lastTakenAtMs: storeMs(lastTakenMs) }) }]
    })
    return { workers: Object.fromEntries(workers), ...this.usage.take() }
  }

  async configure(all: readonly TargetSettings[]): Promise<void> {
    const taken: Record<string, SettingsTaken> = {}
    const configure = async ([name, worker]: readonly [string, JobWorker]) => {
      const { revision, settings } = settingsFor(all, this.labels.id, name)
      const before = this.settings?.[name]
      if (revision === 0) return
      if (revision === before?.revision) taken[name] = before
      else {
        const refused = await worker.configure(settings)
        taken[name] = { revision, ...(refused !== undefined && { refused }) }
      }
    }
    await Promise.all([...this.workers].map(configure))
    if (Object.keys(taken).length > 0 || this.settings) this.settings = taken
  }

  async obey({ verb, worker, slots = 0 }: OrderTask): Promise<'done' | 'ends'> {
    switch (verb) {
      case 'register':
        if (this.mode === 'stopping') throw new Error('it ends')
        this.mode = 'registered'
        this.pressure = undefined
        await this.takeAgain()
        return 'done'
      case 'unregister':
        await this.takeNoMore()
        if (this.mode !== 'stopping') this.mode = 'unregistered'
        return 'done'
      case 'start':
        return 'done'
      case 'concurrency':
        this.workerOf(worker).slots = slots
        return 'done'
      case 'restart':
      case 'stop':
        await this.end(verb)
        return 'ends'
    }
  }

  /** Takes no jobs as long as there is a cause; then it does what it was last ordered. */
  async press(cause: Pressure | undefined): Promise<void> {
    this.pressure = cause
    if (cause) await this.takeNoMore()
    else if (this.mode === 'registered') await this.takeAgain()
  }

  /** It takes no more jobs, because its process ends. */
  stopping(): void {
    this.mode = 'stopping'
  }

  /** The same before it has begun to end. */
  async rest(): Promise<void> {
    this.stopping()
    await this.takeNoMore()
  }

  /** How many jobs run now, and how many attempts have ended. */
  get jobs(): { readonly running: number; readonly done: number } {
    const counts = [...this.workers.values()].map((worker) => worker.counts)
    const sum = (numbers: readonly number[]) => numbers.reduce((left, right) => left + right, 0)
    return {
      running: sum(counts.map(({ running }) => running)),
      done: sum(counts.map(({ done, failed }) => done + failed)),
    }
  }

  stop(): void {
    this.usage.stop()
  }

  private async takeAgain(): Promise<void> {
    await Promise.all([...this.workers.values()].map((one) => one.take()))
  }

  private async takeNoMore(): Promise<void> {
    await Promise.all([...this.workers.values()].map((one) => one.rest()))
  }

  private workerOf(name: string | undefined): JobWorker {
    const names = [...this.workers.keys()]
    const found = name === undefined && names.length === 1 ? names[0] : name
    const worker = found === undefined ? undefined : this.workers.get(found)
    if (worker) return worker
    throw new Error(
      name === undefined
        ? `say of which worker: there are ${names.join(', ')}`
        : `there is no worker "${name}" here`,
    )
  }
}
