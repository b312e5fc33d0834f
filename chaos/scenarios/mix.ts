import type { TestRedis } from '../../test/support/redis.ts'
import { startLoad, untilTold } from '../load.ts'
import type { Process } from '../processes.ts'
import type { TcpProxy } from '../proxy.ts'
import type { Scenario } from '../scenario.ts'
import type { World } from '../world.ts'
import { adminOf } from './redis.ts'

const LASTS_MS = 20_000
const FACADES = 3
const WORKERS = 2

interface Stage {
  readonly world: World
  readonly redis: TestRedis
  readonly wires: readonly TcpProxy[]
  readonly facades: Process[]
  readonly workers: Process[]
}

type FaultOf = (stage: Stage) => Promise<void>

/** All faults of which nothing may be lost, drawn by lot, while elections and jobs go on. */
export const MIX: Scenario = {
  name: 'mix',
  proves: 'faults drawn by lot, for 20 s, under elections with and without lease and token, and jobs',
  async run(world) {
    const stage = await build(world)
    const { facades } = stage
    const loads = [
      startLoad(world, facades, { lanes: 3, system: 'plain' }),
      startLoad(world, facades, { lanes: 2, leaseMs: 20_000, system: 'leased' }),
      startLoad(world, facades, { lanes: 1, leaseMs: 1_000, system: 'short' }),
      startLoad(world, facades, { lanes: 1, isAnonymous: true, system: 'anonymous' }),
    ]
    let isOver = false
    const submitting = submitUntil(world, facades, () => isOver)
    const endMs = performance.now() + LASTS_MS
    while (performance.now() < endMs) {
      await world.pause(world.random.int(100, 1_500))
      await world.random.pick(FAULTS)(stage)
    }
    await repair(stage)
    isOver = true
    await Promise.all([submitting, ...loads.map((load) => load.stop())])
  },
}

async function build(world: World): Promise<Stage> {
  const redis = await world.redis({ aof: 'always' })
  const wires = await Promise.all(Array.from({ length: FACADES }, () => world.proxy(redis.port)))
  const facades = await Promise.all(wires.map((wire) => world.facade(wire.redisUrl)))
  const workers = await Promise.all(Array.from({ length: WORKERS }, () => world.worker(redis)))
  return { world, redis, wires, facades, workers }
}

async function submitUntil(world: World, facades: readonly Process[], isOver: () => boolean): Promise<void> {
  const random = world.random.fork('jobs')
  for (let n = 0; !isOver() && !world.isEnded; n += 1) {
    const body = {
      worker: 'probe',
      data: { sleepMs: random.int(0, 1_000), ...(random.chance(0.1) && { fails: true }) },
    }
    await untilTold(world, facades, 'submit', `job-${n}`, { body }, random, 'jobs')
    await world.pause(random.int(50, 400))
  }
}

const FAULTS: readonly FaultOf[] = [
  async ({ world, redis }) => {
    world.fault('SIGKILL of Redis')
    await redis.kill()
    await world.pause(world.random.int(0, 1_000))
    await redis.restart()
  },
  async ({ world, redis }) => {
    world.fault('SIGSTOP of Redis')
    redis.pause()
    await world.pause(world.random.int(200, 3_000))
    redis.resume()
  },
  async ({ world, redis }) => {
    world.fault('SCRIPT FLUSH')
    await adminOf(world, redis).script('FLUSH')
  },
  async ({ world, redis }) => {
    world.fault('no memory left')
    const admin = adminOf(world, redis)
    await admin.config('SET', 'maxmemory', '1')
    await world.pause(world.random.int(200, 2_000))
    await admin.config('SET', 'maxmemory', '0')
  },
  async ({ world, facades, wires }) => {
    world.fault('SIGKILL of a facade')
    const victim = world.random.int(0, FACADES - 1)
    await facades[victim]?.kill()
    facades[victim] = await world.facade(wires[victim]?.redisUrl ?? '')
  },
  async ({ world, facades }) => {
    world.fault('SIGSTOP of a facade')
    const victim = world.random.pick(facades)
    victim.pause()
    await world.pause(world.random.int(200, 3_000))
    victim.resume()
  },
  async ({ world, workers, redis }) => {
    world.fault('SIGKILL of a worker')
    const victim = world.random.int(0, WORKERS - 1)
    await workers[victim]?.kill()
    workers[victim] = await world.worker(redis)
  },
  async ({ world, workers }) => {
    world.fault('SIGSTOP of a worker')
    const victim = world.random.pick(workers)
    victim.pause()
    await world.pause(world.random.int(200, 4_000))
    victim.resume()
  },
  async ({ world, wires }) => {
    world.fault('the connections of a facade are cut')
    world.random.pick(wires).cut()
  },
  async ({ world, wires }) => {
    world.fault('the wire of a facade is slow')
    const wire = world.random.pick(wires)
    wire.delay(world.random.int(50, 1_200))
    await world.pause(world.random.int(200, 2_000))
    wire.heal()
  },
  async ({ world, wires }) => {
    const direction = world.random.pick(['requests', 'replies'] as const)
    world.fault(`a one-way partition loses ${direction}`)
    const wire = world.random.pick(wires)
    wire.drop(direction)
    await world.pause(world.random.int(200, 3_000))
    wire.heal()
  },
  async ({ world, wires }) => {
    world.fault('the reply to one decision is lost')
    world.random.pick(wires).swallowReply(':round:')
  },
]

/** Ends whatever fault may still be under way. */
async function repair({ world, redis, wires, facades, workers }: Stage): Promise<void> {
  redis.resume()
  for (const one of [...facades, ...workers]) one.resume()
  for (const wire of wires) wire.heal()
  await adminOf(world, redis).config('SET', 'maxmemory', '0')
}
