import { readFileSync } from 'node:fs'
import { createClient, type GoneClient } from '../../src/client/client.ts'
import type { InstanceJson } from '../../src/core/fleet/fleet-wire.ts'
import { GoneError } from '../../src/errors.ts'
import { pause } from '../../src/waiting.ts'
import type { World } from '../world.ts'
import type { Dips } from './dips.ts'
import { WORKER } from './steady-load.ts'

const LOOK_EVERY_MS = 100
const ANSWER_WITHIN_MS = 2_000
/** Those that are there, in whatever way. */
const THERE = 'registered,unregistered,stopping,unresponsive,stuck,stopped,crash-looping,lost'

/** What servers say of the fleet, asked for all the time: of whichever answers. */
export class Sight {
  /** As it was last told. */
  all: readonly InstanceJson[] = []
  /** Every instance that was ever told of. */
  readonly ever = new Map<string, InstanceJson>()
  private readonly clients: readonly GoneClient[]
  /** The longest that this process kept a timer waiting: then the machine had no time for it, or for others. */
  latestMs = 0
  private running: Promise<void> | undefined
  private isOver = false
  private turn = 0

  constructor(
    private readonly world: World,
    urls: readonly string[],
    private readonly nowMs: () => number,
  ) {
    this.clients = urls.map((url) => createClient({ url, timeoutMs: ANSWER_WITHIN_MS }))
  }

  get registered(): readonly InstanceJson[] {
    return this.all.filter(({ state }) => state === 'registered')
  }

  /** @param dips told how many are registered and live */
  start(dips: Dips): void {
    this.running ??= this.run(dips)
    this.running.catch(() => undefined)
  }

  async stop(): Promise<void> {
    this.isOver = true
    await this.running
  }

  /** Asks one server after the other until one answers. */
  async ask<T>(question: (client: GoneClient) => Promise<T>, tries = 100): Promise<T> {
    for (let left = tries; ; left -= 1) {
      this.turn += 1
      try {
        return await question(this.clients[this.turn % this.clients.length] as GoneClient)
      } catch (error) {
        if (left <= 1 || this.world.isEnded || !isRetryable(error)) throw error
        await pause(LOOK_EVERY_MS)
      }
    }
  }

  async look(): Promise<readonly InstanceJson[]> {
    this.all = await this.ask((client) => client.fleet.instances({ worker: WORKER, state: THERE }), 1)
    for (const one of this.all) this.ever.set(one.id, one)
    return this.all
  }

  private async run(dips: Dips): Promise<void> {
    while (!this.isOver && !this.world.isEnded) {
      const isTold = await this.look().then(
        () => true,
        () => false,
      )
      const living = this.registered.filter(({ pid }) => lives(pid))
      if (isTold) dips.see(this.nowMs(), living.length, () => textOf(this.all))
      const pausedMs = this.nowMs()
      await pause(LOOK_EVERY_MS)
      this.latestMs = Math.max(this.latestMs, this.nowMs() - pausedMs - LOOK_EVERY_MS)
    }
  }
}

/** What is refused would be again. */
function isRetryable(error: unknown): boolean {
  return !(error instanceof GoneError) || error.retryable
}

/** True if there is such a process. */
export function lives(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

/** True if it is a process of this world, and not another that has its number by now. */
export function isOf(world: World, pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(world.root)
  } catch {
    return false
  }
}

function textOf(instances: readonly InstanceJson[]): string {
  const words = instances.map(({ place, host, state, pid }) => `${place} on ${host} ${state} (${pid})`)
  return words.join(', ') || 'nobody is there'
}
