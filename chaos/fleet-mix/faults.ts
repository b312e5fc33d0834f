import type { InstanceJson } from '../../src/core/fleet/fleet-wire.ts'
import { RECYCLING } from '../../src/core/fleet/restart.ts'
import { monotonicMs } from '../history.ts'
import type { Random } from '../random.ts'
import { deployBad, deployGood, restartAll } from './deploys.ts'
import { cutOff, drainHost, killHost, loseDirection, slowWire } from './host-faults.ts'
import { isReplaced, kill, nameOf, victimOf } from './kills.ts'
import { lives } from './sight.ts'
import { type FleetStage, HUNG_MS, STALL_MS } from './stage.ts'

interface FleetFault {
  /** How often it is drawn, beside the others. */
  readonly weight: number
  /** Nothing happens where it cannot, or must not. */
  happen(stage: FleetStage): Promise<void>
}

const PRINTED_WITHIN_MS = 60_000
/** Until one that is stopped is ended, and a little longer. */
const STOP_TAKES_MS = 15_000

/** Most are over when they return. */
const FAULTS: readonly FleetFault[] = [
  { weight: 6, happen: killOne },
  { weight: 3, happen: stopBriefly },
  { weight: 2, happen: stopForGood },
  { weight: 2, happen: leak },
  { weight: 2, happen: flood },
  { weight: 2, happen: async (stage) => cutOff(stage) },
  { weight: 1, happen: async (stage) => loseDirection(stage) },
  { weight: 1, happen: async (stage) => slowWire(stage) },
  { weight: 2, happen: async (stage) => killHost(stage) },
  { weight: 1, happen: async (stage) => drainHost(stage) },
  { weight: 1, happen: restartRedis },
  { weight: 2, happen: cutConnections },
  { weight: 2, happen: killServer },
  { weight: 1, happen: restartAll },
  { weight: 2, happen: async (stage) => deployGood(stage) },
  { weight: 2, happen: async (stage) => deployBad(stage) },
]

/** All of them, as often as they weigh, in an order drawn by lot; then anew. */
export function* drawFaults(random: Random): Generator<FleetFault, never> {
  for (;;) {
    const lots = FAULTS.flatMap((fault) => Array.from({ length: fault.weight }, () => fault))
    while (lots.length > 0) yield lots.splice(random.int(0, lots.length - 1), 1)[0] as FleetFault
  }
}

/** One on a host with which nothing is wrong. */
function victimIn(stage: FleetStage): InstanceJson | undefined {
  const { hosts, sight, random } = stage
  const isWell = ({ host, pid }: InstanceJson) =>
    hosts.find(({ name }) => name === host)?.isTroubled === false && lives(pid)
  return victimOf(stage, random, sight.registered.filter(isWell))
}

async function killOne(stage: FleetStage): Promise<void> {
  const victim = victimIn(stage)
  if (victim) await kill(stage, victim)
}

async function stopBriefly(stage: FleetStage): Promise<void> {
  const { world, marks, dips, soonMs, random } = stage
  const victim = victimIn(stage)
  if (victim === undefined) return
  const ms = random.int(500, HUNG_MS - 3_000)
  world.fault(`SIGSTOP of ${nameOf(victim)} for ${ms} ms`)
  const fromMs = monotonicMs()
  process.kill(victim.pid, 'SIGSTOP')
  marks.silence([victim])
  dips.excuse({ fromMs, untilMs: fromMs + ms + soonMs })
  marks.harm({ what: 'SIGSTOP', pids: [victim.pid], fromMs, untilMs: fromMs + ms + STALL_MS })
  await world.pause(ms)
  process.kill(victim.pid, 'SIGCONT')
}

const stops = new WeakMap<FleetStage, number[]>()

/** Of a worker one that hangs is ended at a time, and few within some minutes: another would stand still for long. */
function mayStop(stage: FleetStage): boolean {
  const nowMs = monotonicMs()
  const known = (stops.get(stage) ?? []).filter((atMs) => nowMs - atMs < RECYCLING.windowMs + STOP_TAKES_MS)
  const lastMs = known.at(-1) ?? Number.NEGATIVE_INFINITY
  if (known.length >= RECYCLING.most || nowMs - lastMs < RECYCLING.apartMs + STOP_TAKES_MS) return false
  stops.set(stage, [...known, nowMs])
  return true
}

async function stopForGood(stage: FleetStage): Promise<void> {
  const { world, marks, dips, soonMs } = stage
  const victim = victimIn(stage)
  if (victim === undefined || !mayStop(stage)) return
  world.fault(`SIGSTOP of ${nameOf(victim)}, for good`)
  const fromMs = monotonicMs()
  process.kill(victim.pid, 'SIGSTOP')
  marks.silence([victim])
  marks.fates.set(victim.id, 'hung')
  marks.harm({ what: 'SIGSTOP for good', pids: [victim.pid], fromMs, untilMs: Number.POSITIVE_INFINITY })
  dips.excuse({ fromMs, untilMs: fromMs + HUNG_MS + soonMs })
  await isReplaced(stage, victim)
}

/** Goes on beside other faults. */
async function leak(stage: FleetStage): Promise<void> {
  const { world, load, marks, random, runs, sight, beside } = stage
  const mib = random.int(4, 12)
  world.fault(`a job leaks ${mib} MiB/s`)
  const { round } = load.ask({ kind: 'leaks', data: { sleepMs: 200, leaksMib: mib } })
  const startOf = () => runs.read().findLast((run) => run.round === round && run.phase === 'start')
  await world.until(() => startOf() !== undefined, 'the job that leaks begins')
  const start = startOf()
  const victim = sight.all.find(({ pid }) => pid === start?.pid)
  if (start === undefined || victim === undefined) return
  marks.harm({ what: 'leak', pids: [start.pid], fromMs: start.atMs, untilMs: Number.POSITIVE_INFINITY })
  if (!marks.fates.has(victim.id)) marks.fates.set(victim.id, 'leaked')
  const replaced = isReplaced(stage, victim, 120_000).finally(() => beside.delete(replaced))
  beside.add(replaced)
}

async function flood({ world, load, random, runs }: FleetStage): Promise<void> {
  const sleepMs = random.int(2_000, 5_000)
  world.fault(`a job prints without end for ${sleepMs} ms`)
  const { round } = load.ask({ kind: 'prints', data: { sleepMs, prints: true } })
  const hasEnded = () => runs.read().some((run) => run.round === round && run.phase === 'end')
  await world.until(hasEnded, 'the job that prints ends', PRINTED_WITHIN_MS)
}

/** They are made again at once: nothing is to come of it. */
async function cutConnections({ world, hosts, random }: FleetStage): Promise<void> {
  const host = random.pick(hosts)
  if (host.isTroubled) return
  world.fault(`the connections of host ${host.name} are cut`)
  host.wire.cut()
}

async function killServer({ world, fronts, redis, random }: FleetStage): Promise<void> {
  const front = random.pick(fronts)
  world.fault('SIGKILL of a server')
  await front.process.kill()
  await world.pause(random.int(0, 2_000))
  front.process = await world.facade(redis, { port: Number(new URL(front.url).port) })
}

/** In order: nothing that was acknowledged is lost. */
async function restartRedis({ world, redis, marks, dips, soonMs }: FleetStage): Promise<void> {
  world.fault('restart of Redis')
  const fromMs = monotonicMs()
  await redis.restart()
  const untilMs = monotonicMs()
  marks.harm({ what: 'restart of Redis', fromMs, untilMs: untilMs + STALL_MS })
  dips.excuse({ fromMs, untilMs: untilMs + soonMs })
}
