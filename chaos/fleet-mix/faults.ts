import type { InstanceJson } from '../../src/core/fleet/fleet-wire.ts'
import { RECYCLING } from '../../src/core/fleet/restart.ts'
import { monotonicMs } from '../history.ts'
import { deployBad, deployGood, restartAll } from './deploys.ts'
import { cutOff, killHost, loseDirection, slowWire } from './host-faults.ts'
import { type FleetStage, HUNG_MS, LOCK_MS } from './stage.ts'

interface FleetFault {
  /** How often it is drawn, beside the others. */
  readonly weight: number
  /** Nothing happens where it cannot, or must not. */
  happen(stage: FleetStage): Promise<void>
}

/** A life that is shorter counts, and what dies so twice is not started again at once. */
const SHORT_LIFE_MS = 61_000
const REPLACED_WITHIN_MS = 60_000
/** Until one that is stopped is ended, and a little longer. */
const STOP_TAKES_MS = 15_000
/** Locks that ended while it stood still are found by others so soon. */
const STALL_MS = LOCK_MS + 10_000

/** Most are over when they return. */
export const FAULTS: readonly FleetFault[] = [
  { weight: 6, happen: killOne },
  { weight: 3, happen: stopBriefly },
  { weight: 2, happen: stopForGood },
  { weight: 2, happen: leak },
  { weight: 2, happen: flood },
  { weight: 2, happen: async (stage) => cutOff(stage) },
  { weight: 1, happen: async (stage) => loseDirection(stage) },
  { weight: 1, happen: async (stage) => slowWire(stage) },
  { weight: 2, happen: async (stage) => killHost(stage) },
  { weight: 2, happen: cutConnections },
  { weight: 2, happen: killServer },
  { weight: 1, happen: restartAll },
  { weight: 2, happen: async (stage) => deployGood(stage) },
  { weight: 2, happen: async (stage) => deployBad(stage) },
]

export function drawFault({ random }: Pick<FleetStage, 'random'>): FleetFault {
  const lots = FAULTS.flatMap((fault) => Array.from({ length: fault.weight }, () => fault))
  return random.pick(lots)
}

/** Deaths of young instances, by host and place. */
const died = new WeakMap<FleetStage, Map<string, number>>()

/** One that is started again at once when it dies, on a host with which nothing is wrong. */
function victimOf(stage: FleetStage): InstanceJson | undefined {
  const { random, sight, hosts } = stage
  const young = died.get(stage) ?? new Map<string, number>()
  died.set(stage, young)
  const nowMs = monotonicMs()
  const keyOf = ({ host, place }: InstanceJson) => `${host} ${place}`
  const able = sight.registered.filter((one) => {
    if (hosts.find(({ name }) => name === one.host)?.isTroubled !== false) return false
    return (
      ageMs(one) > SHORT_LIFE_MS ||
      nowMs - (young.get(keyOf(one)) ?? -RECYCLING.windowMs) >= RECYCLING.windowMs
    )
  })
  if (able.length === 0) return undefined
  const victim = random.pick(able)
  if (ageMs(victim) <= SHORT_LIFE_MS) young.set(keyOf(victim), nowMs)
  return victim
}

function ageMs({ startedAt }: InstanceJson): number {
  return Date.now() - Date.parse(startedAt)
}

async function killOne(stage: FleetStage): Promise<void> {
  const { world, marks, dips, soonMs, runs, replacedMs } = stage
  const victim = victimOf(stage)
  if (victim === undefined) return
  const inHand = runs.inHandOf(victim.pid).length
  world.fault(`SIGKILL of ${nameOf(victim)}, which runs ${inHand} jobs`)
  const fromMs = monotonicMs()
  process.kill(victim.pid, 'SIGKILL')
  marks.harm({
    what: 'SIGKILL',
    pids: [victim.pid],
    fromMs,
    untilMs: Number.POSITIVE_INFINITY,
    isKill: true,
  })
  marks.fates.set(victim.id, 'killed')
  dips.excuse({ fromMs, untilMs: fromMs + soonMs })
  if (await isReplaced(stage, victim)) replacedMs.push(monotonicMs() - fromMs)
}

async function stopBriefly(stage: FleetStage): Promise<void> {
  const { world, marks, dips, soonMs, random } = stage
  const victim = victimOf(stage)
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
  const victim = victimOf(stage)
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
  await world.until(hasEnded, 'the job that prints ends', REPLACED_WITHIN_MS)
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

/** True once another is registered in its place. */
async function isReplaced(
  { world, sight }: FleetStage,
  victim: InstanceJson,
  withinMs = REPLACED_WITHIN_MS,
): Promise<boolean> {
  const untilMs = monotonicMs() + withinMs
  while (monotonicMs() < untilMs) {
    const { registered } = sight
    const isGone = !registered.some(({ id }) => id === victim.id)
    if (isGone && registered.some(({ place, id }) => place === victim.place && id !== victim.id)) return true
    await world.pause(20)
  }
  world.claim(false, `within ${withinMs / 1_000} s another is in the place of ${nameOf(victim)}`)
  return false
}

function nameOf({ place, host, pid }: InstanceJson): string {
  return `${place} on ${host} (${pid})`
}
