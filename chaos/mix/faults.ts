import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Process } from '../../test/support/processes.ts'
import { untilTold } from '../load.ts'
import { askOf, type Call, POINTS } from '../scenarios/facades.ts'
import { killWritten, tearAof } from '../scenarios/redis.ts'
import type { World } from '../world.ts'
import { callLate } from './late.ts'
import type { Stage } from './stage.ts'

interface MixFault {
  /** On which stages it can happen; on all if it is not said. */
  readonly needs?: (stage: Stage) => boolean
  happen(stage: Stage): Promise<void>
}

const FAILING = 'failing'
const DRAINS = 3
const hasGate = ({ gateNodes }: Stage) => gateNodes.length > 0
const hasDisk = ({ disk }: Stage) => disk !== undefined

/** Each is over when it returns, but for what is lost once on a wire. */
export const FAULTS: readonly MixFault[] = [
  {
    async happen({ world, setting, redis, admin }) {
      world.fault('SIGKILL of Redis')
      await killWritten(world, { aof: setting.aof, redis, admin })
      await world.pause(world.random.int(0, 1_000))
      await redis.restart()
    },
  },
  {
    async happen({ world, setting, redis, admin, dataFolder }) {
      world.fault('SIGKILL of Redis, and half a command at the end of its AOF')
      await killWritten(world, { aof: setting.aof, redis, admin })
      await tearAof(dataFolder)
      await redis.restart()
    },
  },
  {
    async happen({ world, redis }) {
      world.fault('restart of Redis')
      await redis.restart()
    },
  },
  {
    async happen({ world, redis }) {
      world.fault('SIGSTOP of Redis')
      await stopFor(world, redis, 3_000)
    },
  },
  {
    async happen({ world, admin }) {
      world.fault('SCRIPT FLUSH')
      await admin.script('FLUSH')
    },
  },
  {
    async happen({ world, admin }) {
      world.fault('no memory left')
      await admin.config('SET', 'maxmemory', '1')
      await world.pause(world.random.int(200, 2_000))
      await admin.config('SET', 'maxmemory', '0')
    },
  },
  { needs: hasDisk, happen: fillDisk },
  {
    async happen({ world, strong }) {
      world.fault('SIGKILL of a facade')
      await world.random.pick(strong).fill()
    },
  },
  {
    async happen({ world, strong }) {
      world.fault('SIGTERM of a facade')
      const seat = world.random.pick(strong)
      const code = await seat.process.stop()
      world.claim(code === 0, `a facade that was told to stop exited with ${code}`)
      await seat.fill()
    },
  },
  {
    async happen({ world, strong }) {
      world.fault('SIGSTOP of a facade')
      await stopFor(world, world.random.pick(strong).process, 3_000)
    },
  },
  { happen: failAtAwait },
  {
    async happen({ world, workers }) {
      world.fault('SIGKILL of a worker')
      await world.random.pick(workers).fill()
    },
  },
  {
    async happen({ world, workers }) {
      world.fault('SIGTERM of a worker')
      const seat = world.random.pick(workers)
      // What it exits with says nothing here: its job may kill it meanwhile.
      await seat.process.stop()
      await seat.fill()
    },
  },
  {
    async happen({ world, workers }) {
      world.fault('SIGTERM of all workers, again and again')
      for (let drain = 0; drain < DRAINS; drain += 1) {
        await Promise.all(
          workers.map(async (seat) => {
            await seat.process.stop()
            await seat.fill()
          }),
        )
      }
    },
  },
  {
    async happen({ world, workers }) {
      world.fault('SIGSTOP of a worker')
      await stopFor(world, world.random.pick(workers).process, 4_000)
    },
  },
  {
    async happen({ world, wires }) {
      world.fault('the connections of a facade are cut')
      world.random.pick(wires).cut()
    },
  },
  {
    async happen({ world, wires }) {
      world.fault('the wire of a facade is slow')
      const wire = world.random.pick(wires)
      wire.delay(world.random.int(50, 1_200))
      await world.pause(world.random.int(200, 2_000))
      wire.heal()
    },
  },
  {
    async happen({ world, wires }) {
      const direction = world.random.pick(['requests', 'replies'] as const)
      world.fault(`a one-way partition loses ${direction}`)
      const wire = world.random.pick(wires)
      wire.drop(direction)
      await world.pause(world.random.int(200, 3_000))
      wire.heal()
    },
  },
  {
    async happen({ world, wires }) {
      const isReply = world.random.chance(0.5)
      world.fault(`the ${isReply ? 'reply to' : 'request of'} one decision is lost`)
      const wire = world.random.pick(wires)
      if (isReply) wire.swallowReply(':round:')
      else wire.swallowRequest(':round:')
    },
  },
  {
    async happen({ world, strong }) {
      const op = world.random.pick(['elect', 'complete', 'submit'] as const)
      const isReply = world.random.chance(0.5)
      world.fault(`the ${isReply ? 'answer to' : 'call of'} one ${op} is lost`)
      const front = strong[0]?.front
      if (isReply) front?.swallowReply(`/${op}/`)
      else front?.swallowRequest(`/${op}/`)
    },
  },
  {
    needs: hasGate,
    async happen({ world, gateNodes }) {
      const count = world.random.int(1, 2)
      const first = world.random.int(0, gateNodes.length - 1)
      const victims = Array.from({ length: count }, (_, n) => gateNodes[(first + n) % gateNodes.length])
      world.fault(`SIGKILL of ${count} of ${gateNodes.length} gate nodes`)
      await Promise.all(victims.map((node) => node?.kill()))
      await world.pause(world.random.int(200, 2_000))
      await Promise.all(victims.map((node) => node?.restart()))
    },
  },
  {
    needs: hasGate,
    async happen({ world, gateNodes }) {
      world.fault('a gate node is killed and comes back empty')
      const node = world.random.pick(gateNodes)
      await node.kill()
      await rm(join(node.dir, 'appendonlydir'), { recursive: true })
      await node.restart()
    },
  },
  { happen: callLate },
]

/** SIGSTOP, and SIGCONT after a while of at most so long. */
async function stopFor(world: World, one: Pick<Process, 'pause' | 'resume'>, maxMs: number): Promise<void> {
  one.pause()
  await world.pause(world.random.int(200, maxMs))
  one.resume()
}

/** Under `always` Redis ends where it cannot write, under `everysec` it refuses and goes on when there is room. */
async function fillDisk({ world, setting, redis, admin, disk }: Stage): Promise<void> {
  world.fault('the disk of Redis is full')
  await disk?.fill()
  await world.pause(world.random.int(200, 2_000))
  await disk?.makeRoom()
  if (setting.aof === 'always') {
    await redis.restart()
    return
  }
  // What it has acknowledged before it noticed is in its memory alone until then.
  await world.until(
    async () => (await admin.info('persistence')).includes('aof_last_write_status:ok'),
    'Redis writes again',
  )
}

/** The weak facade dies or stops at one await of one call, and the call is sent again elsewhere. */
async function failAtAwait({ world, setting, strong, weak }: Stage): Promise<void> {
  const { random } = world
  const call = random.pick(Object.keys(POINTS) as Call[])
  const point = random.pick(POINTS[call])
  const round = `${random.int(0, 999_999)}.${point}`
  const elsewhere = random.fork(round)
  const again = (op: Call, ask: object = askOf(op, round)) =>
    untilTold(world, strong, op, round, ask, elsewhere, FAILING)

  if (call === 'complete') await again('elect')
  if (setting.weakness === 'kill') {
    world.fault(`a facade dies ${point.replace('-', ' ')} of ${call}`)
    await world.to(weak.url, FAILING).call(call, round, askOf(call, round))
    await again(call)
    return
  }
  const lease = call === 'elect' && { leaseMs: 1_000 }
  world.fault(`a facade is stopped ${point.replace('-', ' ')} of ${call}`)
  const asleep = world.to(weak.url, FAILING).call(call, round, { ...askOf(call, round), ...lease })
  await world.pause(random.int(200, 2_500))
  await again(call, call === 'elect' ? { token: `${round}-other`, leaseMs: 30_000 } : undefined)
  weak.process.resume()
  await asleep
}
