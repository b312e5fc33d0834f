import type { Random } from '../random.ts'

export const STRONG = 3
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const WORKERS = 2

/** On what stage a segment is played. */
export interface Setting {
  /** Under `everysec` the process may be killed, not the machine: what was handed to the system is kept. */
  readonly aof: 'always' | 'everysec'
  /** New leaders pass a gate of three nodes. */
  readonly isGated: boolean
  /** How wrong the clock of each is, the weak facade's last. */
  readonly facadeClocksMs: readonly number[]
  readonly workerClocksMs: readonly number[]
  /** Which facade is of another build. */
  readonly otherBuild?: number
  /** What happens to the weak facade where a round's name asks for it, see `preload.ts`. */
  readonly weakness: 'kill' | 'stop'
}

export function drawSetting(random: Random): Setting {
  const areRight = random.chance(0.5)
  const clock = () => (areRight ? 0 : random.pick([-40 * DAY_MS, -HOUR_MS, 0, HOUR_MS, 40 * DAY_MS]))
  return {
    aof: random.pick(['always', 'everysec']),
    isGated: random.chance(0.5),
    facadeClocksMs: Array.from({ length: STRONG + 1 }, clock),
    workerClocksMs: Array.from({ length: WORKERS }, clock),
    ...(random.chance(0.5) && { otherBuild: random.int(0, STRONG - 1) }),
    weakness: random.pick(['kill', 'stop']),
  }
}

/** One line for whoever reads the result. */
export function sayOf(setting: Setting): string {
  const { aof, isGated, facadeClocksMs, workerClocksMs, otherBuild, weakness } = setting
  const hours = [...facadeClocksMs, ...workerClocksMs].map((ms) => ms / HOUR_MS)
  const clocks = hours.every((hour) => hour === 0)
    ? 'right clocks'
    : `clocks of facades and workers off by ${hours.join(', ')} h`
  return [
    `appendfsync ${aof}`,
    isGated ? 'a gate of three nodes' : 'no gate of its own',
    clocks,
    otherBuild === undefined ? 'one build' : `facade ${otherBuild} of another build`,
    weakness === 'kill' ? 'a facade dies at its awaits' : 'a facade is stopped at its awaits',
  ].join(', ')
}
