import type { InstanceFacts, InstanceMode } from '../../src/core/fleet/instance.ts'
import { connect, disconnect, type RedisClient } from '../../src/redis/connections.ts'
import { RedisFleet } from '../../src/store/fleet/redis-fleet.ts'
import { pause } from '../../src/waiting.ts'
import { silentLog } from './log.ts'

const PULSE_EVERY_MS = 2_000
const LEASE_MS = 10_000
const AT_ONCE = 50

/** Instances that say that they live, each by a step of its own, and run nothing: so that there can be a thousand. */
export class SimulatedHosts {
  readonly ids: readonly string[]
  private readonly modes = new Map<string, InstanceMode>()
  private readonly silent = new Set<string>()
  private readonly client: RedisClient
  private readonly fleet: RedisFleet
  private readonly stopping = new AbortController()
  private running: Promise<void> | undefined
  private pulses = 0

  /** @param hosts on how many hosts they are; missing: each on its own */
  constructor(
    redis: string,
    count: number,
    private readonly hosts = count,
  ) {
    this.client = connect(redis, 'commands', 'hosts', silentLog)
    this.fleet = new RedisFleet(this.client)
    this.ids = Array.from({ length: count }, (_, n) => `host-${String(n).padStart(4, '0')}`)
  }

  /** Returns once all are registered. */
  async start(): Promise<void> {
    while (!(await this.pulseAll())) await pause(100)
    this.running = this.run()
  }

  /** From now on nothing is heard of these. */
  silence(ids: readonly string[]): void {
    for (const id of ids) this.silent.add(id)
  }

  unsilence(): void {
    this.silent.clear()
  }

  /** Changes what it says, and says it until the store has it. */
  async change(id: string): Promise<void> {
    const mode = this.modes.get(id) === 'unregistered' ? 'registered' : 'unregistered'
    this.modes.set(id, mode)
    while (!this.stopping.signal.aborted && !(await this.say(id, true))) await pause(100)
  }

  modeOf(id: string): InstanceMode {
    return this.modes.get(id) ?? 'registered'
  }

  async stop(): Promise<void> {
    this.stopping.abort()
    await this.running
    await disconnect(this.client)
  }

  private async run(): Promise<void> {
    while (!this.stopping.signal.aborted) {
      await pause(PULSE_EVERY_MS, this.stopping.signal)
      await this.pulseAll()
    }
  }

  /** True where all were heard. */
  private async pulseAll(): Promise<boolean> {
    let areHeard = true
    for (let at = 0; at < this.ids.length; at += AT_ONCE) {
      const some = this.ids.slice(at, at + AT_ONCE).filter((id) => !this.silent.has(id))
      const heard = await Promise.all(some.map((id) => this.say(id, false)))
      areHeard &&= heard.every(Boolean)
    }
    return areHeard
  }

  /** False where the store did not answer. */
  private async say(id: string, isNews: boolean): Promise<boolean> {
    const workers = { simulated: { running: 1, done: this.pulses, failed: 0, lastTakenAtMs: Date.now() } }
    const stats = { workers, cpuPercent: 1.5, rssBytes: 80_000_000, loopDelayMs: 1 }
    this.pulses += 1
    const asked = isNews ? { id, facts: this.factsOf(id), known: 0 } : { id, stats, known: 0 }
    try {
      const [reply] = await this.fleet.pulse([asked], LEASE_MS)
      if (!reply?.isUnknown) return true
      await this.fleet.pulse([{ id, facts: this.factsOf(id), known: 0 }], LEASE_MS)
      return true
    } catch {
      return false
    }
  }

  private factsOf(id: string): InstanceFacts {
    return {
      id,
      workers: [{ name: 'simulated', slots: 4 }],
      release: '41',
      region: 'eu',
      host: `host-${Number(id.split('-')[1]) % this.hosts}`,
      pid: 1,
      version: '0.1.0',
      mode: this.modeOf(id),
    }
  }
}
