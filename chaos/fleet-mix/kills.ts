import type { InstanceJson } from '../../src/core/fleet/fleet-wire.ts'
import { RECYCLING } from '../../src/core/fleet/restart.ts'
import { monotonicMs } from '../history.ts'
import type { Random } from '../random.ts'
import type { Loaded } from './loaded.ts'

/** A life that is shorter counts, and what dies so twice is not started again at once. */
const SHORT_LIFE_MS = 61_000
const REPLACED_WITHIN_MS = 60_000

/** When young instances died, by host and place, so that none is taken for one that crashes again and again. */
const died = new WeakMap<Loaded, Map<string, number>>()

/** One of these that is started again at once when it dies; undefined: there is none now. */
export function victimOf(
  loaded: Loaded,
  random: Random,
  among: readonly InstanceJson[] = loaded.sight.registered,
): InstanceJson | undefined {
  const young = died.get(loaded) ?? new Map<string, number>()
  died.set(loaded, young)
  const nowMs = monotonicMs()
  const keyOf = ({ host, place }: InstanceJson) => `${host} ${place}`
  const isFirst = (one: InstanceJson) => nowMs - (young.get(keyOf(one)) ?? -Infinity) >= RECYCLING.windowMs
  const able = among.filter((one) => ageMs(one) > SHORT_LIFE_MS || isFirst(one))
  if (able.length === 0) return undefined
  const victim = random.pick(able)
  if (ageMs(victim) <= SHORT_LIFE_MS) young.set(keyOf(victim), nowMs)
  return victim
}

/** Returns when another is registered in its place. */
export async function kill(loaded: Loaded, victim: InstanceJson): Promise<void> {
  const { world, marks, dips, soonMs, runs, replacedMs } = loaded
  const inHand = runs.inHandOf(victim.pid).length
  world.fault(`SIGKILL of ${nameOf(victim)}, which runs ${inHand} jobs`)
  const fromMs = monotonicMs()
  const untilMs = Number.POSITIVE_INFINITY
  process.kill(victim.pid, 'SIGKILL')
  marks.harm({ what: 'SIGKILL', pids: [victim.pid], fromMs, untilMs, isKill: true })
  marks.fates.set(victim.id, 'killed')
  dips.excuse({ fromMs, untilMs: fromMs + soonMs })
  if (await isReplaced(loaded, victim)) replacedMs.push(monotonicMs() - fromMs)
}

/** True once another is registered in its place. */
export async function isReplaced(
  { world, sight }: Loaded,
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
  world.claim(false, `within ${withinMs / 1_000} s: another is in the place of ${nameOf(victim)}`)
  return false
}

export function nameOf({ place, host, pid }: InstanceJson): string {
  return `${place} on ${host} (${pid})`
}

function ageMs({ startedAt }: InstanceJson): number {
  return Date.now() - Date.parse(startedAt)
}
