import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pause } from '../../src/waiting.ts'
import { monotonicMs } from '../history.ts'
import type { World } from '../world.ts'
import { Dips } from './dips.ts'
import { Marks } from './marks.ts'
import { RunFile } from './run-file.ts'
import { isOf, lives, Sight } from './sight.ts'
import { SteadyLoad, type SteadyLoadParts } from './steady-load.ts'

/** A fleet with jobs submitted to it all the time, and what is needed to judge it. */
export interface Loaded {
  readonly world: World
  /** Where servers take jobs. */
  readonly urls: readonly string[]
  readonly load: SteadyLoad
  readonly sight: Sight
  readonly dips: Dips
  readonly marks: Marks
  readonly runs: RunFile
  /** What whoever runs the worker of the load is started with. */
  readonly env: Readonly<Record<string, string>>
  /** What is promised to be so within 3 s. */
  readonly soonMs: number
  /** How soon killed instances had another in their place. */
  readonly replacedMs: number[]
}

interface LoadedParts extends Pick<SteadyLoadParts, 'urls' | 'perSecond' | 'draw'> {
  /** How many instances there shall be. */
  readonly asked: number
  /** For how long there may be fewer; missing: as long as until another begins. */
  readonly fewerMs?: number
  readonly lockMs: number
  readonly soonMs: number
}

const SOON_MS = 3_000
const ENDED_WITHIN_MS = 3_000

/** As is promised; where a process takes longer to begin, as long as three of them, and that is said. */
export function soonOf(world: World, beginMs: number): number {
  const soonMs = Math.max(SOON_MS, Math.round(3 * beginMs))
  world.remarks.push(`a process begins within ${Math.round(beginMs)} ms here, so soon is ${soonMs} ms`)
  return soonMs
}

/** Nothing is begun yet: neither submitting nor looking. */
export function prepare(
  world: World,
  { urls, perSecond, draw, asked, fewerMs, lockMs, soonMs }: LoadedParts,
): Loaded {
  const runsFile = join(world.folder, 'runs.jsonl')
  writeFileSync(runsFile, '')
  const sight = new Sight(world, urls, monotonicMs)
  // Before those are, of whom some may be left: what is begun last is ended first.
  world.onEnd(() => endAll(world, sight))
  const random = world.random.fork('load')
  return {
    world,
    urls,
    load: new SteadyLoad({ world, random, urls, perSecond, nowMs: monotonicMs, ...(draw && { draw }) }),
    sight,
    dips: new Dips(asked, fewerMs ?? soonMs),
    marks: new Marks(),
    runs: new RunFile(runsFile),
    env: { CHAOS_RUNS: runsFile, CHAOS_LOCK: `${lockMs / 1_000}s` },
    soonMs,
    replacedMs: [],
  }
}

/** Whoever is stopped hears of no end: what is left of the instances is killed. */
async function endAll(world: World, sight: Sight): Promise<void> {
  const untilMs = monotonicMs() + ENDED_WITHIN_MS
  const left = () => [...sight.ever.values()].filter(({ pid }) => lives(pid) && isOf(world, pid))
  while (left().length > 0 && monotonicMs() < untilMs) await pause(100)
  for (const { pid } of left()) process.kill(pid, 'SIGKILL')
}
