import type { GoneClient } from '../../client/client.ts'
import type { InstanceJson } from '../../core/fleet/fleet-wire.ts'
import type { PoolJson } from '../../core/fleet/pool-wire.ts'
import { RECYCLING } from '../../core/fleet/restart.ts'
import { pause } from '../../waiting.ts'
import type { FleetJournal } from './fleet-journal.ts'
import { POOL, POOL_SIZE } from './protocol.ts'
import { putRelease } from './releases.ts'

/** Something that happens to the fleet, and what comes of it. */
export interface Fault {
  readonly startedAtMs: number
  readonly what: string
  /** To whom, such as `demo/3 on a`. */
  where: string
  /** How many jobs that cut off. */
  cut: number
  note: string
  /** How long until all was as before; missing: it is not yet. */
  tookMs?: number
}

export interface FaultsParts {
  readonly client: GoneClient
  readonly journal: FleetJournal
  readonly dataDir: string
  /** At least so long from one to the next. */
  readonly everyMs: number
  /** How many; missing: until it is stopped. */
  readonly max?: number
  readonly onEnough: () => void
}

type Kind = 'kill' | 'bad release' | 'leak' | 'stop' | 'release'

/** In this order, again and again. */
const KINDS: readonly Kind[] = ['kill', 'bad release', 'leak', 'stop', 'kill', 'release']
const READ_EVERY_MS = 100
const BACK_WITHIN_MS = 60_000
const DEPLOYED_WITHIN_MS = 300_000
const KEPT = 100
/** Until one that is stopped is ended, and a little longer. */
const STOP_TAKES_MS = 15_000

/** Has one thing after the other happen to the fleet, and says what came of it. */
export class Faults {
  readonly all: Fault[] = []
  private readonly stopping = new AbortController()
  private readonly parts: FaultsParts
  private running: Promise<void> | undefined
  private deploying: Promise<void> | undefined
  private release = 1
  private over = 0
  private stops: readonly number[] = []

  constructor(parts: FaultsParts) {
    this.parts = parts
  }

  start(): void {
    this.running ??= this.run()
  }

  async stop(): Promise<void> {
    this.stopping.abort()
    await this.running
    await this.deploying
  }

  /** How many were not over as they were to be. */
  get failed(): number {
    return this.all.filter(({ note }) => note.startsWith('NOT')).length
  }

  private async run(): Promise<void> {
    const { everyMs, max = Number.POSITIVE_INFINITY, onEnough } = this.parts
    for (let n = 0; !this.stopping.signal.aborted && this.over < max; n += 1) {
      const startedMs = performance.now()
      await this.happen(KINDS[n % KINDS.length] as Kind).catch(() => undefined)
      await pause(Math.max(0, startedMs + everyMs - performance.now()), this.stopping.signal)
    }
    await this.deploying
    if (!this.stopping.signal.aborted) onEnough()
  }

  private async happen(kind: Kind): Promise<void> {
    // An instance of a new release that dies would be a bad release.
    if (this.deploying && kind !== 'kill' && kind !== 'stop') return
    switch (kind) {
      case 'kill':
        return this.end('SIGKILL', 'kill -9')
      case 'stop':
        return this.mayStop() ? this.end('SIGSTOP', 'stopped (SIGSTOP)') : this.end('SIGKILL', 'kill -9')
      case 'leak':
        return this.leak()
      case 'bad release':
        return this.deployBad()
      case 'release':
        this.deploying = this.deployGood().finally(() => {
          this.deploying = undefined
        })
    }
  }

  /** Of a worker one that hangs is ended at a time, and few within some minutes: another would stand still for long. */
  private mayStop(): boolean {
    const nowMs = performance.now()
    this.stops = this.stops.filter((atMs) => nowMs - atMs < RECYCLING.windowMs + STOP_TAKES_MS)
    const lastMs = this.stops.at(-1) ?? Number.NEGATIVE_INFINITY
    if (this.stops.length >= RECYCLING.most || nowMs - lastMs < RECYCLING.apartMs + STOP_TAKES_MS)
      return false
    this.stops = [...this.stops, nowMs]
    return true
  }

  private async end(signal: 'SIGKILL' | 'SIGSTOP', what: string): Promise<void> {
    const { journal } = this.parts
    const victim = await this.victim()
    if (victim === undefined) return
    const jobs = journal.inHandOf(victim.pid)
    journal.noteKilled(victim.pid)
    const fault = this.begin(what, victim, jobs.length)
    process.kill(victim.pid, signal)
    if (!(await this.until(async () => this.isReplaced(victim), BACK_WITHIN_MS)))
      return this.close(fault, 'NOT replaced')
    const isThrough = () => jobs.every(({ state }) => state === 'completed')
    if (jobs.length > 0 && !(await this.until(async () => isThrough(), BACK_WITHIN_MS)))
      return this.close(fault, 'NOT all its jobs ran')
    this.close(fault, jobs.length > 0 ? 'jobs ran elsewhere' : 'replaced')
  }

  private async leak(): Promise<void> {
    const { journal } = this.parts
    const job = await journal.leak(String(this.all.length))
    const fault = this.begin('leaks 16 MB/s', undefined, 0)
    let victim: InstanceJson | undefined
    const isFound = async () => {
      journal.sums()
      victim = (await this.instances()).find(({ pid }) => pid === job.lastPid)
      return victim !== undefined
    }
    if (!(await this.until(isFound, BACK_WITHIN_MS)) || victim === undefined)
      return this.close(fault, 'NOT taken by anybody')
    fault.where = whereOf(victim)
    journal.noteKilled(victim.pid)
    const found = victim
    const isReplaced = await this.until(async () => this.isReplaced(found), BACK_WITHIN_MS)
    this.close(fault, isReplaced ? 'replaced in time' : 'NOT replaced')
  }

  private async deployBad(): Promise<void> {
    const fault = this.begin('bad release', undefined, 0)
    const pool = await this.deploy(false, fault).catch(() => undefined)
    const isBack = pool?.rollout?.state === 'rolled-back'
    this.close(fault, isBack ? `rolled back to ${pool.release}` : 'NOT rolled back')
  }

  private async deployGood(): Promise<void> {
    const fault = this.begin('new release', undefined, 0)
    const pool = await this.deploy(true, fault).catch(() => undefined)
    this.close(fault, pool?.rollout?.state === 'done' ? 'deployed' : 'NOT deployed')
  }

  /** The pool when it has been deployed to, or back. */
  private async deploy(isGood: boolean, fault: Fault): Promise<PoolJson | undefined> {
    const { client, dataDir } = this.parts
    this.release += 1
    const name = String(this.release)
    putRelease(dataDir, name, isGood)
    fault.where = `release ${name}`
    // The hosts look for new ones every other second.
    const isKnown = async () =>
      (await client.fleet.pools.list()).supervisors.every(({ releases = [] }) => releases.includes(name))
    await this.until(isKnown, BACK_WITHIN_MS)
    await client.fleet.pools.deploy(POOL, name)
    let pool: PoolJson | undefined
    const isOver = async () => {
      pool = await client.fleet.pools.get(POOL)
      const has = pool?.places.filter((place) => place.release === name && place.state === 'works').length
      if (isGood) fault.note = `${has} of ${POOL_SIZE} places`
      return pool?.rollout?.state === 'done' || pool?.rollout?.state === 'rolled-back'
    }
    await this.until(isOver, DEPLOYED_WITHIN_MS)
    return pool
  }

  /** One that runs jobs, and is not of a release that is on its way. */
  private async victim(): Promise<InstanceJson | undefined> {
    const [all, pool] = await Promise.all([this.instances(), this.parts.client.fleet.pools.get(POOL)])
    const isRolling = pool?.rollout?.state === 'rolling'
    const able = all.filter(({ release }) => !isRolling || release === pool.rollout?.from)
    const busiest = able.toSorted(
      (a, b) => this.parts.journal.inHandOf(b.pid).length - this.parts.journal.inHandOf(a.pid).length,
    )
    // Of those that are as busy any.
    return busiest[Math.floor(Math.random() * Math.min(3, busiest.length))]
  }

  private instances(): Promise<readonly InstanceJson[]> {
    return this.parts.client.fleet.instances({ state: 'registered' })
  }

  private async isReplaced(victim: InstanceJson): Promise<boolean> {
    const all = await this.instances()
    return (
      all.some(({ place, id }) => place === victim.place && id !== victim.id) &&
      !all.some(({ id }) => id === victim.id)
    )
  }

  private begin(what: string, victim: InstanceJson | undefined, cut: number): Fault {
    const fault = { startedAtMs: Date.now(), what, where: victim ? whereOf(victim) : '', cut, note: '' }
    this.all.push(fault)
    if (this.all.length > KEPT) this.all.shift()
    return fault
  }

  private close(fault: Fault, note: string): void {
    if (this.stopping.signal.aborted) return
    fault.tookMs = Date.now() - fault.startedAtMs
    fault.note = note
    this.over += 1
  }

  private async until(isSo: () => Promise<boolean>, ms: number): Promise<boolean> {
    const endMs = performance.now() + ms
    while (!this.stopping.signal.aborted && performance.now() < endMs) {
      if (await isSo().catch(() => false)) return true
      await pause(READ_EVERY_MS, this.stopping.signal)
    }
    return false
  }
}

function whereOf({ place = '', host }: InstanceJson): string {
  return `${place} on ${host}`
}
