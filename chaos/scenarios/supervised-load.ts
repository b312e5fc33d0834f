import { judgeJobs } from '../fleet-mix/judging.ts'
import { kill, victimOf } from '../fleet-mix/kills.ts'
import { type Loaded, prepare, soonOf } from '../fleet-mix/loaded.ts'
import { type Drawn, WORKER } from '../fleet-mix/steady-load.ts'
import { monotonicMs } from '../history.ts'
import type { Random } from '../random.ts'
import type { World } from '../world.ts'

const PER_SECOND = 200
const FOLDER = 'chaos/fleet-mix/workers'
/** Longer than any of these takes: that BullMQ finds a job stalled is not what is tried here. */
const LOCK_MS = 600_000
const BEGUN_WITHIN_MS = 60_000
const KILLS = 50
/** So long an instance must have lived, where one of its place has died young. */
const PAUSE_MS = 1_000
const KILLED_WITHIN_MS = 900_000
const RESTARTED_WITHIN_MS = 120_000
const LONG_MS = 20_000
const LOOK_BACK_MS = 2_000

interface Supervised {
  readonly supervisors: number
  /** Of each. */
  readonly instances: number
  /** For how long there may be fewer than that. */
  readonly fewerMs?: number
  readonly draw?: (random: Random) => Drawn
}

/** Instances of supervisors, all registered, under 200 jobs a second. */
async function start(world: World, { supervisors, instances, ...terms }: Supervised): Promise<Loaded> {
  const redis = await world.redis({ aof: 'always' })
  const beganMs = monotonicMs()
  const { url } = await world.facade(redis)
  const soonMs = soonOf(world, monotonicMs() - beganMs)
  const asked = supervisors * instances
  const shape = { urls: [url], perSecond: PER_SECOND, asked, lockMs: LOCK_MS, soonMs }
  const loaded = prepare(world, { ...shape, ...terms })
  const { sight, env } = loaded
  const hosts = Array.from({ length: supervisors }, (_, n) => `host-${n}`)
  for (const host of hosts)
    await world.goneWork(redis, { folder: FOLDER, instances, env: { ...env, GONE_HOST_LABEL: host } })
  const areThere = async () => {
    await sight.look()
    return sight.registered.length === asked
  }
  await world.until(areThere, `${asked} instances are registered`, BEGUN_WITHIN_MS)
  sight.start(loaded.dips)
  loaded.load.start()
  return loaded
}

/** Fifty instances are killed, one after the other, each when it has lived for a minute or is the first to die in its place. */
export async function killFifty(world: World): Promise<void> {
  const loaded = await start(world, { supervisors: 2, instances: 5 })
  const { load, sight } = loaded
  const untilMs = monotonicMs() + KILLED_WITHIN_MS
  const random = world.random.fork('kills')
  let kills = 0
  while (kills < KILLS && monotonicMs() < untilMs) {
    const victim = victimOf(loaded, random)
    await world.pause(PAUSE_MS)
    if (victim === undefined || !sight.registered.some(({ id }) => id === victim.id)) continue
    await kill(loaded, victim)
    kills += 1
  }
  world.claim(kills === KILLS, `${kills} of ${KILLS} were killed`)
  await load.stop()
  await judgeJobs(loaded)
  const late = loaded.replacedMs.filter((ms) => ms > loaded.soonMs)
  for (const ms of late) world.claim(false, `another was registered only ${Math.round(ms)} ms after a kill`)
}

/** Three instances are restarted while short jobs and a long one run. */
export async function restartThree(world: World): Promise<void> {
  const draw = (): Drawn => ({ kind: 'brief', data: { sleepMs: 50 } })
  const loaded = await start(world, { supervisors: 1, instances: 3, fewerMs: 0, draw })
  const { load, sight, runs } = loaded
  load.ask({ kind: 'long', data: { sleepMs: LONG_MS } })
  await world.pause(LOOK_BACK_MS)
  world.fault('an order restarts all three')
  const fromMs = monotonicMs()
  const { id } = await sight.ask(
    ({ fleet }) => fleet.order({ do: 'restart', select: { worker: WORKER }, count: 3, within: '2m' }),
    1,
  )
  const isObeyed = async () => {
    const order = await sight.ask(({ fleet }) => fleet.orderOf(id))
    return order?.instances.every(({ outcome }) => outcome === 'done') === true
  }
  await world.until(isObeyed, 'the order is obeyed by all', RESTARTED_WITHIN_MS)
  const untilMs = monotonicMs()
  await load.stop()
  await judgeJobs(loaded)
  const ends = runs.read().flatMap(({ phase, atMs }) => (phase === 'end' ? [atMs] : []))
  const least = leastOf(ends, fromMs, untilMs)
  const took = ((untilMs - fromMs) / 1_000).toFixed(1)
  world.remarks.push(`restarted in ${took} s; in no 2 s fewer than ${least} of ${2 * PER_SECOND} jobs ended`)
}

/** How many ended in the worst two seconds, each begun a tenth of a second after the one before. */
function leastOf(ends: readonly number[], fromMs: number, untilMs: number): number {
  let least = Number.POSITIVE_INFINITY
  for (let atMs = fromMs; atMs + LOOK_BACK_MS <= untilMs; atMs += 100)
    least = Math.min(least, ends.filter((end) => end >= atMs && end < atMs + LOOK_BACK_MS).length)
  return least
}
