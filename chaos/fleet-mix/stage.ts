import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { InstanceJson } from '../../src/core/fleet/fleet-wire.ts'
import type { Process } from '../../test/support/processes.ts'
import type { TestRedis } from '../../test/support/redis.ts'
import { monotonicMs } from '../history.ts'
import type { Random } from '../random.ts'
import type { World } from '../world.ts'
import { Bystanders } from './bystanders.ts'
import { Dips } from './dips.ts'
import { Host } from './host.ts'
import { Marks } from './marks.ts'
import { RunFile } from './run-file.ts'
import type { FleetSetting } from './setting.ts'
import { isOf, lives, Sight } from './sight.ts'
import { SteadyLoad, WORKER } from './steady-load.ts'

export const POOL = 'steady'
/** Of two and more instances on each of three hosts one host may be missing. */
export const ASKED = 6
const MOST_A_HOST = 5
/** A process that does nothing has a third of it. */
const MEMORY = '320m'
export const HUNG_MS = 9_000
export const LOCK_MS = 15_000
/** As is promised; where a process takes longer to begin, as long as three of them. */
const SOON_MS = 3_000
const BEGUN_WITHIN_MS = 60_000
const ENDED_WITHIN_MS = 3_000

/** A server, which is started again on its port. */
export interface Front {
  process: Process
  readonly url: string
}

/** All that a segment is played on. */
export interface FleetStage {
  readonly world: World
  readonly random: Random
  readonly setting: FleetSetting
  readonly redis: TestRedis
  readonly fronts: readonly Front[]
  readonly hosts: readonly Host[]
  readonly load: SteadyLoad
  readonly sight: Sight
  readonly dips: Dips
  readonly marks: Marks
  readonly runs: RunFile
  /** What is promised to be so within 3 s. */
  readonly soonMs: number
  /** How soon killed instances had another in their place. */
  readonly replacedMs: number[]
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
  const runsFile = join(world.folder, 'runs.jsonl')
  writeFileSync(runsFile, '')
  const releases = join(world.folder, 'releases')
  putRelease(world, '1', '')
  const hosts = await Promise.all(
    setting.hosts.map(async ({ name, clockOffsetMs }) => {
      const wire = await world.proxy(redis.port)
      const flags = ['--memory', MEMORY, '--hung', `${HUNG_MS / 1_000}s`]
      const env = { CHAOS_RUNS: runsFile, CHAOS_LOCK: `${LOCK_MS / 1_000}s` }
      return new Host(name, wire, () =>
        world.poolHost({ url: wire.redisUrl }, name, {
          most: MOST_A_HOST,
          releases,
          flags,
          env,
          clockOffsetMs,
        }),
      )
    }),
  )
  const sight = new Sight(world, urls, monotonicMs)
  // Before those are, of whom some may be left: what is begun last is ended first.
  world.onEnd(() => endAll(world, sight))
  const bystanders = new Bystanders(world, redis, urls)
  const beginMs = await bystanders.begin()
  await Promise.all(hosts.map((host) => host.start()))
  const soonMs = Math.max(SOON_MS, Math.round(3 * beginMs))
  world.remarks.push(`a process begins within ${Math.round(beginMs)} ms here, so soon is ${soonMs} ms`)
  await sight.ask(({ fleet }) => fleet.pools.put(POOL, { instances: ASKED, workers: [WORKER], release: '1' }))
  const areThere = async () =>
    (await sight.look()).filter((one) => one.state === 'registered').length === ASKED
  await world.until(areThere, `${ASKED} instances are registered`, BEGUN_WITHIN_MS)
  const stage: FleetStage = {
    world,
    random: world.random.fork('faults'),
    setting,
    redis,
    fronts,
    hosts,
    load: new SteadyLoad({
      world,
      random: world.random.fork('load'),
      urls,
      perSecond: setting.perSecond,
      nowMs: monotonicMs,
    }),
    sight,
    dips: new Dips(ASKED, soonMs),
    marks: new Marks(),
    runs: new RunFile(runsFile),
    soonMs,
    replacedMs: [],
    beside: new Set(),
    releases: 1,
    isDeploying: false,
  }
  sight.start(stage.dips)
  stage.load.start()
  bystanders.start()
  return stage
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

/** Whoever is stopped hears of no end: what is left of the instances is killed. */
async function endAll(world: World, sight: Sight): Promise<void> {
  const untilMs = monotonicMs() + ENDED_WITHIN_MS
  const left = () => [...sight.ever.values()].filter(({ pid }) => lives(pid) && isOf(world, pid))
  while (left().length > 0 && monotonicMs() < untilMs)
    await new Promise((resolve) => setTimeout(resolve, 100))
  for (const { pid } of left()) process.kill(pid, 'SIGKILL')
}
