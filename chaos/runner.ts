import { setMaxListeners } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Rule, Violation } from './checker.ts'
import { type Event, Recorder } from './history.ts'
import { Random } from './random.ts'
import { CannotRun, type Scenario } from './scenario.ts'
import { type Played, World } from './world.ts'

export interface Counts {
  readonly rounds: number
  readonly calls: number
  /** Calls of which nobody was told whether they happened. */
  readonly unknown: number
  readonly leaders: number
  readonly completions: number
  readonly faults: number
  /** Violations, by what a user would call them. */
  readonly doubleLeaders: number
  readonly lostAnswers: number
  readonly silentRounds: number
  readonly others: number
}

export interface Result {
  readonly scenario: Scenario
  readonly seed: number
  /** True if it went as the scenario says: no violation, or the one that it is there to show. */
  readonly isGood: boolean
  readonly violations: readonly Violation[]
  readonly counts: Counts
  readonly tookMs: number
  /** Where the history is; removed where all is well. */
  readonly history: string
  /** What is to be known of how it came about. */
  readonly remarks: readonly string[]
  /** Why it could not be run to its end. */
  readonly trouble?: string
  /** True where the trouble is that what it needs is not here. */
  readonly couldNotRun: boolean
}

export interface RunOptions {
  readonly seed: number
  /** The tree whose code runs, as JavaScript. */
  readonly root: string
  readonly size: number
  readonly interruption: AbortSignal
}

/** A scenario that takes longer hangs. */
const MAX_SCENARIO_MS = 180_000

export async function runScenario(scenario: Scenario, options: RunOptions): Promise<Result> {
  const { seed, root, size, interruption } = options
  const startMs = performance.now()
  const folder = await mkdtemp(join(tmpdir(), 'gone-chaos-'))
  const history = join(folder, 'history.jsonl')
  const recorder = new Recorder(history)
  const { mayTakeMs = MAX_SCENARIO_MS } = scenario
  const limit = AbortSignal.any([interruption, AbortSignal.timeout(mayTakeMs)])
  // Every pause of a scenario listens.
  setMaxListeners(0, limit)
  const world = new World(recorder, new Random(seed).fork(scenario.name), root, folder, limit)
  let violations: readonly Violation[] = []
  let trouble: string | undefined
  let couldNotRun = false
  try {
    const work = scenario.run(world, size).then(() => world.settle())
    violations = await Promise.race([work, abortOf(limit)])
  } catch (error) {
    trouble = error instanceof Error ? error.message : String(error)
    couldNotRun = error instanceof CannotRun
  } finally {
    await world.end()
    recorder.close()
  }
  const isGood = trouble === undefined && isAsSaid(scenario, violations)
  if (isGood || couldNotRun || interruption.aborted) await rm(folder, { recursive: true, force: true })
  return {
    scenario,
    seed,
    isGood,
    violations,
    counts: countsOf(recorder.events, violations, world.besides),
    tookMs: performance.now() - startMs,
    history,
    remarks: world.remarks,
    couldNotRun,
    ...(trouble !== undefined && { trouble }),
  }
}

function isAsSaid({ breaks }: Scenario, violations: readonly Violation[]): boolean {
  if (breaks === undefined) return violations.length === 0
  return (
    violations.some(({ rule }) => breaks.includes(rule)) && !violations.some(({ rule }) => rule === 'claim')
  )
}

function abortOf(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const abort = () => reject(new Error(`cut off: ${String(signal.reason?.message ?? signal.reason)}`))
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
  })
}

const LOST: readonly Rule[] = ['acknowledged-kept', 'never-forgotten', 'no-false-loss']
const SILENT: readonly Rule[] = ['jobs-end', 'board-agrees', 'decided-in-time']

function countsOf(events: readonly Event[], violations: readonly Violation[], besides: Played): Counts {
  const rounds = new Set<string>()
  const ends = { calls: 0, unknown: 0, leaders: 0, completions: 0, faults: 0 }
  const ops = new Map<number, string>()
  const leaderships = new Set<string>()
  for (const event of events) {
    if (event.kind === 'fault') ends.faults += 1
    if (event.kind === 'invoke') {
      ends.calls += 1
      rounds.add(`${event.system}/${event.round}`)
      ops.set(event.call, `${event.op} ${event.system}/${event.round}`)
    }
    if (event.kind !== 'return') continue
    if (event.result === 'unknown') ends.unknown += 1
    const op = ops.get(event.call) ?? ''
    if (op.startsWith('elect ') && event.status === 202) leaderships.add(`${op} ${event.fence}`)
    if (op.startsWith('complete ') && event.status === 200) ends.completions += 1
  }
  const broken = (rules: readonly Rule[]) => violations.filter(({ rule }) => rules.includes(rule)).length
  const [doubleLeaders, lostAnswers, silentRounds] = [broken(['one-leader']), broken(LOST), broken(SILENT)]
  return {
    ...ends,
    calls: ends.calls + besides.calls,
    unknown: ends.unknown + besides.unknown,
    rounds: rounds.size + besides.rounds,
    leaders: leaderships.size,
    doubleLeaders,
    lostAnswers,
    silentRounds,
    others: violations.length - doubleLeaders - lostAnswers - silentRounds,
  }
}
