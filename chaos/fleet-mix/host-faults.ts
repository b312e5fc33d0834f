import { monotonicMs } from '../history.ts'
import type { Host } from './host.ts'
import { pidsOf } from './marks.ts'
import { lives } from './sight.ts'
import { ASKED, type FleetStage, on, STALL_MS } from './stage.ts'

/** What is promised: so soon the places of a lost host run on others. */
const MOVED_WITHIN_MS = 20_000
/** When it is back it is heard again so soon. */
const BACK_WITHIN_MS = 5_000
/** And what runs there that is too many has ended. */
const SETTLED_WITHIN_MS = 60_000
/** As often as the fleet is looked at. */
const SEEN_EVERY_MS = 100

/** One that nothing is being done to; only one at a time is missing. */
function hostOf({ hosts, random }: FleetStage): Host | undefined {
  return hosts.some(({ isTroubled }) => isTroubled) ? undefined : random.pick(hosts)
}

/** Nothing gets through to Redis, for long enough to be lost, or not. */
export function cutOff(stage: FleetStage): Promise<void> {
  return partition(stage, 'is cut off', (host) => host.wire.refuse())
}

/** The connections stay up, and nothing gets through in one direction. */
export function loseDirection(stage: FleetStage): Promise<void> {
  const direction = stage.random.pick(['requests', 'replies'] as const)
  return partition(stage, `loses ${direction}`, (host) => host.wire.drop(direction))
}

async function partition(stage: FleetStage, what: string, begin: (host: Host) => void): Promise<void> {
  const { world, random, marks, dips, soonMs } = stage
  const host = hostOf(stage)
  if (host === undefined) return
  const ms = random.chance(0.3) ? random.int(500, 8_000) : random.int(13_000, 26_000)
  const there = on(stage, host)
  world.fault(`host ${host.name} ${what} for ${ms} ms`)
  const fromMs = monotonicMs()
  host.isTroubled = true
  marks.silence(there)
  marks.harm({ what: `host ${what}`, pids: pidsOf(there), fromMs, untilMs: fromMs + ms + STALL_MS })
  dips.excuse({ fromMs, untilMs: fromMs + Math.max(MOVED_WITHIN_MS, ms + soonMs) })
  // One that begins as it is cut off is listed a moment later, and may be ended when it is back.
  const seeing = setInterval(() => marks.silence(on(stage, host)), SEEN_EVERY_MS)
  try {
    begin(host)
    await world.pause(ms)
    host.wire.heal()
    await isHeard(stage, host, BACK_WITHIN_MS)
  } finally {
    clearInterval(seeing)
  }
  // What has begun there meanwhile.
  const since = on(stage, host)
  marks.silence(since)
  marks.harm({ what: `host ${what}`, pids: pidsOf(since), fromMs, untilMs: fromMs + ms + STALL_MS })
  settleBeside(stage, host)
}

/** As where a machine has lost its power, and is back after a while. */
export async function killHost(stage: FleetStage): Promise<void> {
  const { world, random, marks, dips } = stage
  const host = hostOf(stage)
  if (host === undefined) return
  const ms = random.int(200, 15_000)
  const there = on(stage, host)
  world.fault(`SIGKILL of all of host ${host.name}, which is back after ${ms} ms`)
  const fromMs = monotonicMs()
  host.isTroubled = true
  marks.silence(there)
  marks.harm({ what: 'host killed', pids: pidsOf(there), fromMs, untilMs: Number.POSITIVE_INFINITY })
  for (const { id } of there) marks.fates.set(id, 'killed')
  dips.excuse({ fromMs, untilMs: fromMs + MOVED_WITHIN_MS })
  await host.process.kill()
  for (const { pid } of there) if (lives(pid)) process.kill(pid, 'SIGKILL')
  await world.pause(ms)
  await host.start()
  await isHeard(stage, host, BACK_WITHIN_MS)
  settleBeside(stage, host)
}

/** As where a machine is restarted in order: what runs there ends, or is given back. */
export async function drainHost(stage: FleetStage): Promise<void> {
  const { world, marks, dips, soonMs } = stage
  const host = hostOf(stage)
  if (host === undefined) return
  const there = on(stage, host)
  world.fault(`SIGTERM of host ${host.name}`)
  const fromMs = monotonicMs()
  host.isTroubled = true
  marks.harm({ what: 'host drained', pids: pidsOf(there), fromMs, untilMs: Number.POSITIVE_INFINITY })
  dips.excuse({ fromMs, untilMs: fromMs + soonMs })
  const code = await host.process.stop()
  world.claim(code === 0, `a host that was told to end exited with ${code}`)
  await host.start()
  await isHeard(stage, host, BACK_WITHIN_MS)
  settleBeside(stage, host)
}

/** Slow, and not so slow that it counts as lost. */
export async function slowWire(stage: FleetStage): Promise<void> {
  const { world, random, dips, soonMs } = stage
  const host = hostOf(stage)
  if (host === undefined) return
  const [delayMs, ms] = [random.int(20, 150), random.int(2_000, 8_000)]
  world.fault(`the wire of host ${host.name} is slow by ${delayMs} ms for ${ms} ms`)
  const fromMs = monotonicMs()
  // What begins there meanwhile takes its time.
  dips.excuse({ fromMs, untilMs: fromMs + ms + soonMs })
  host.isTroubled = true
  host.wire.delay(delayMs)
  await world.pause(ms)
  host.wire.delay(0)
  host.isTroubled = false
}

/** The pools hear of its supervisor again. */
async function isHeard({ world, sight }: FleetStage, host: Host, withinMs: number): Promise<void> {
  const isBack = async () => {
    const { supervisors } = await sight.ask(({ fleet }) => fleet.pools.list())
    return supervisors.some((one) => one.host === host.name && !one.isLost)
  }
  await world.until(isBack, `host ${host.name} is heard again`, withinMs)
}

/** Until there are as many again as there shall be, and none that is too many, other hosts are left alone. */
function settleBeside(stage: FleetStage, host: Host): void {
  const { world, sight, beside } = stage
  const isSettled = () => sight.registered.filter(({ pid }) => lives(pid)).length === ASKED
  const settled = world
    .until(
      isSettled,
      `${ASKED} are registered when host ${host.name} is back, and no more`,
      SETTLED_WITHIN_MS,
    )
    .catch(() => undefined)
    .finally(() => {
      host.isTroubled = false
      beside.delete(settled)
    })
  beside.add(settled)
}
