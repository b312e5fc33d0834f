import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { InstanceJson } from '../../src/core/fleet/fleet-wire.ts'
import type { Process } from '../../test/support/processes.ts'
import type { TestRedis } from '../../test/support/redis.ts'
import type { Random } from '../random.ts'
import type { World } from '../world.ts'
import { Bystanders } from './bystanders.ts'
import { Host } from './host.ts'
import { type Loaded, prepare, soonOf } from './loaded.ts'
import { RedisWatch } from './redis-watch.ts'
import type { FleetSetting } from './setting.ts'
import { drawn, WORKER } from './steady-load.ts'

export const POOL = 'steady'
/** Of two and more instances on each of three hosts one host may be missing. */
export const ASKED = 6
const MOST_A_HOST = 5
/** A process that does nothing has a third of it. */
const MEMORY = '320m'
export const HUNG_MS = 9_000
const LOCK_MS = 15_000
/** Locks that have ended are found by others so soon. */
export const STALL_MS = LOCK_MS + 10_000
/** Of what hosts print: for whoever looks why something went wrong. */
const SAID = /"level":[345]0(?!.*"msg":"(?:completed|round failed|failed|not run))/
const BEGUN_WITHIN_MS = 60_000

/** A server, which is started again on its port. */
export interface Front {
  process: Process
  readonly url: string
}

/** All that a segment is played on. */
export interface FleetStage extends Loaded {
  readonly random: Random
  readonly redis: TestRedis
  readonly watch: RedisWatch
  readonly fronts: readonly Front[]
  readonly hosts: readonly Host[]
  /** What goes on beside other faults. */
  readonly beside: Set<Promise<unknown>>
  /** How many releases there are; the last is of that name. */
  releases: number
  isDeploying: boolean
}

export async function build(world: World, setting: FleetSetting): Promise<FleetStage> {
  const redis = await world.redis({ aof: setting.aof })
  const fronts = (await world.facadesOn(2, redis)).map((process) => ({ process, url: process.url }))
  const urls = fronts.map(({ url }) => url)
  const bystanders = new Bystanders(world, redis, urls)
  const soonMs = soonOf(world, await bystanders.begin())
  const { perSecond } = setting
  const regions = setting.hosts.flatMap(({ region }) => region ?? [])
  const draw = (random: Random) => drawn(random, regions)
  const loaded = prepare(world, { urls, perSecond, draw, asked: ASKED, lockMs: LOCK_MS, soonMs })
  const { sight, dips, load } = loaded
  putRelease(world, '1', '')
  const hosts = await Promise.all(
    setting.hosts.map((host) => hostOf(world, redis, { ...host, env: loaded.env })),
  )
  await Promise.all(hosts.map((host) => host.start()))
  await sight.ask(({ fleet }) => fleet.pools.put(POOL, { instances: ASKED, workers: [WORKER], release: '1' }))
  const areThere = async () => {
    await sight.look()
    return sight.registered.length === ASKED
  }
  await world.until(areThere, `${ASKED} instances are registered`, BEGUN_WITHIN_MS)
  sight.start(dips)
  load.start()
  bystanders.start()
  const watch = new RedisWatch(world, redis, { ...loaded, afterMs: STALL_MS })
  watch.start()
  const random = world.random.fork('faults')
  return {
    ...loaded,
    random,
    redis,
    watch,
    fronts,
    hosts,
    beside: new Set(),
    releases: 1,
    isDeploying: false,
  }
}

type HostTerms = FleetSetting['hosts'][number] & Pick<Loaded, 'env'>

async function hostOf(
  world: World,
  redis: TestRedis,
  { name, clockOffsetMs, region, env: own }: HostTerms,
): Promise<Host> {
  const wire = await world.proxy(redis.port)
  const flags = ['--memory', MEMORY, '--hung', `${HUNG_MS / 1_000}s`]
  const env = { ...own, ...(region !== undefined && { GONE_REGION: region }) }
  const log = join(world.folder, `host-${name}.log`)
  const onLine = (line: string) => {
    if (SAID.test(line)) appendFileSync(log, `${line}\n`)
  }
  const terms = {
    onLine,
    most: MOST_A_HOST,
    releases: join(world.folder, 'releases'),
    flags,
    env,
    clockOffsetMs,
  }
  return new Host(name, wire, () => world.poolHost({ url: wire.redisUrl }, name, terms))
}

/** A release of somebody's: the worker of the load, with a line of its own. */
export function putRelease(world: World, name: string, line: string): void {
  const worker = pathToFileURL(join(world.root, 'chaos/fleet-mix/workers/steady.js')).href
  const folder = join(world.folder, 'releases', name)
  mkdirSync(folder, { recursive: true })
  const text = `export { default } from ${JSON.stringify(worker)}\n${line}`
  writeFileSync(join(folder, `${WORKER}.mjs`), text)
}

export function on(stage: FleetStage, host: Host): readonly InstanceJson[] {
  return stage.sight.all.filter((one) => one.host === host.name)
}
