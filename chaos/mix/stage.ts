import type { Redis } from 'ioredis'
import type { Process } from '../../test/support/processes.ts'
import type { TestRedis } from '../../test/support/redis.ts'
import type { TcpProxy } from '../proxy.ts'
import { adminOf } from '../scenarios/redis.ts'
import type { SmallDisk } from '../small-disk.ts'
import { builtCopy, OTHER_BUILD } from '../tree.ts'
import type { FacadeOptions, World } from '../world.ts'
import { type Setting, STRONG } from './setting.ts'

/** Ample for what is written in a segment; above it lies the ballast. */
const DISK_MEGABYTES = 32
const GATE_NODES = 3
const LOOK_EVERY_MS = 200

export interface Stage {
  readonly world: World
  readonly setting: Setting
  readonly redis: TestRedis
  readonly admin: Redis
  /** Where the data of Redis are, as this process reaches them. */
  readonly dataFolder: string
  readonly disk: SmallDisk | undefined
  readonly gateNodes: readonly TestRedis[]
  /** The wire of each facade to Redis, the weak one's last. */
  readonly wires: readonly TcpProxy[]
  /** The first is called through a wire that loses requests and answers. */
  readonly strong: readonly Seat[]
  /** Fails at its awaits where a round's name asks for it. */
  readonly weak: Seat
  readonly workers: readonly Seat[]
}

/** A place in the fleet: who sits there may die, and is replaced by its like. */
export class Seat {
  front: TcpProxy | undefined
  private sitting: Process | undefined

  constructor(
    private readonly start: () => Promise<Process>,
    private readonly makeFront?: (port: number) => Promise<TcpProxy>,
  ) {}

  get process(): Process {
    if (!this.sitting) throw new Error('nobody sits here yet')
    return this.sitting
  }

  /** Where callers reach it. */
  get url(): string {
    return this.front?.httpUrl ?? this.process.url
  }

  /** Kills who sits there, if anybody does. */
  async fill(): Promise<void> {
    await this.sitting?.kill()
    this.sitting = await this.start()
    this.front = await this.makeFront?.(Number(new URL(this.sitting.url).port))
  }
}

export async function build(world: World, setting: Setting): Promise<Stage> {
  const { aof, isGated, facadeClocksMs, workerClocksMs, otherBuild, weakness } = setting
  const disk = await world.smallDisk(DISK_MEGABYTES, 'no disk was full')
  const redis = await world.redis({ aof, ...(disk && { dir: disk.dir, startedOn: disk.startedOn }) })
  const gateNodes = isGated
    ? await Promise.all(Array.from({ length: GATE_NODES }, () => world.redis({ aof: 'always' })))
    : []
  const env: Record<string, string> = isGated
    ? { GATE_REDIS_URLS: gateNodes.map(({ url }) => url).join(',') }
    : {}
  const otherRoot = otherBuild === undefined ? undefined : await builtCopy(world.folder, OTHER_BUILD)
  const wires = await Promise.all(facadeClocksMs.map(() => world.proxy(redis.port)))

  const facade = (n: number, more: FacadeOptions = {}) =>
    world.facade(wires[n]?.redisUrl ?? '', {
      env,
      clockOffsetMs: facadeClocksMs[n] ?? 0,
      ...(n === otherBuild && otherRoot !== undefined && { root: otherRoot }),
      ...more,
    })
  const facades = facadeClocksMs.slice(0, STRONG).map((_, n) => {
    return new Seat(() => facade(n), n === 0 ? (port) => world.proxy(port) : undefined)
  })
  const weak = new Seat(() => facade(STRONG, { failpoints: weakness }))
  const workers = workerClocksMs.map((clockOffsetMs) => {
    return new Seat(() => world.worker(redis, { clockOffsetMs, env: { ...env, GONE_SHUTDOWN: '3s' } }))
  })
  await Promise.all([...facades, weak, ...workers].map((seat) => seat.fill()))
  return {
    world,
    setting,
    redis,
    admin: adminOf(world, redis),
    dataFolder: disk?.seenAt ?? redis.dir,
    disk,
    gateNodes,
    wires,
    strong: facades,
    weak,
    workers,
  }
}

/** Workers die by their jobs, and the weak facade at its awaits: whoever is dead is replaced. */
export async function revive({ strong, weak, workers }: Stage): Promise<void> {
  await fillEmpty([...strong, weak, ...workers])
}

/** Ends what may still be under way. The weak facade leaves, so that nobody who asks for its rounds fails with it. */
export async function repair({ wires, strong, weak, workers }: Stage): Promise<void> {
  for (const wire of [...wires, ...strong.flatMap(({ front }) => front ?? [])]) wire.heal()
  await weak.process.kill()
  await fillEmpty([...strong, ...workers])
}

/** As a supervisor would: a job that kills its worker may be run when all other faults are over. Ends with the world. */
export function keepWorking({ world, workers }: Stage): void {
  const look = async () => {
    while (!world.isEnded) {
      await fillEmpty(workers)
      await world.pause(LOOK_EVERY_MS)
    }
  }
  // What is cut off here is cut off everywhere.
  const looking = look().catch(() => undefined)
  world.onEnd(() => looking)
}

async function fillEmpty(seats: readonly Seat[]): Promise<void> {
  await Promise.all(seats.filter(({ process }) => !process.isAlive).map((seat) => seat.fill()))
}
