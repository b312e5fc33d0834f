import { rm } from 'node:fs/promises'
import { Command, type CommanderError, InvalidArgumentError, Option } from 'commander'
import { exitWhenRead } from '../src/process/exit.ts'
import { compile } from '../test/support/compile.ts'
import { BUGS } from './bugs.ts'
import {
  asLines,
  asMarkdown,
  biteAsLines,
  bitesAsJson,
  bitesAsMarkdown,
  resultsAsJson,
  summary,
  totalsAsMarkdown,
} from './report.ts'
import { type Result, runScenario } from './runner.ts'
import type { Scenario } from './scenario.ts'
import { SCENARIOS } from './scenarios/all.ts'
import { FLEET_MIX, FLEET_SEGMENT_MS } from './scenarios/fleet-mix.ts'
import { MIX } from './scenarios/mix.ts'
import { type Bite, bite } from './teeth.ts'
import { TREE } from './tree.ts'

interface ChaosOptions {
  readonly scenario?: readonly string[]
  readonly minutes?: number
  readonly fleet?: true
  readonly teeth?: true | readonly string[]
  readonly short?: true
  readonly list?: true
  readonly seed: number
  readonly json?: true
  readonly markdown?: true
}

const EXIT = { held: 0, broken: 1, couldNotRun: 2, interrupted: 130 } as const
const SHORT_SIZE = 0.1
/** Of a segment that is cut short: of a shorter one most would be its begin and its end. */
const LEAST_SIZE = 0.2

const program = new Command('npm run chaos --')
  .description(
    'Breaks real servers, workers and Redis on purpose, records every call, and checks what was answered.',
  )
  .option('--scenario <names...>', 'run only these')
  .option('--minutes <number>', 'run the random mix for so long', parseMinutes)
  .option('--fleet', 'with --minutes: the random mix that befalls a fleet under 200 jobs/s')
  .option(
    '--teeth [names...]',
    'run the harness on copies of the source that have a bug: each must be caught',
  )
  .option('--short', 'the form for CI: fewer scenarios, fewer rounds, and some of the bugs')
  .option('--list', 'say what there is')
  .option('--seed <number>', 'what the faults are drawn from', parseSeed, 1)
  .addOption(new Option('--json', 'print JSON instead of a summary').conflicts('markdown'))
  .option('--markdown', 'print the tables as Markdown')
  .addHelpText(
    'after',
    '\nWithout options all scenarios are run, in some twenty minutes. Exit codes: 0 all held, and every bug was caught; 1 not so; ' +
      '2 could not run, or not all of it; 130 interrupted.' +
      '\n\nExamples:\n  $ npm run chaos -- --scenario takeover crowd --seed 7\n  $ npm run chaos -- --minutes 60 --seed 3\n  $ npm run chaos -- --fleet --minutes 60\n  $ npm run chaos -- --teeth',
  )
  .exitOverride()
try {
  program.parse()
} catch (error) {
  await exitWhenRead((error as CommanderError).exitCode === 0 ? EXIT.held : EXIT.couldNotRun)
}

const interruption = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => interruption.abort(new Error('interrupted')))
}
const options = program.opts<ChaosOptions>()
const run = { seed: options.seed, size: options.short ? SHORT_SIZE : 1, interruption: interruption.signal }

try {
  if (options.list) list()
  else await runAll()
} catch (error) {
  say(error instanceof Error ? error.message : String(error))
  process.exitCode = EXIT.couldNotRun
}
// What was cut off in the middle may still wait for something.
if (interruption.signal.aborted) await exitWhenRead(EXIT.interrupted)

async function runAll(): Promise<void> {
  const root = await compile(TREE)
  try {
    await runOn(root)
  } finally {
    await rm(root, { recursive: true, force: true })
  }
}

async function runOn(root: string): Promise<void> {
  const { minutes, fleet, teeth, short } = options
  if (fleet && minutes === undefined) throw new Error('--fleet: expected --minutes beside it')
  const isPlain = minutes === undefined && teeth === undefined
  const results = minutes === undefined ? [] : await runMix(minutes, root)
  if (isPlain || options.scenario) results.push(...(await runScenarios(scenarios(), root)))
  const bites = teeth !== undefined || (short && !options.scenario) ? await runTeeth() : []
  if (interruption.signal.aborted) return
  report(results, bites)
  const isBroken =
    results.some(({ isGood, couldNotRun }) => !isGood && !couldNotRun) ||
    !bites.every(({ isCaught }) => isCaught)
  const couldNotRun = results.some((result) => result.couldNotRun)
  process.exitCode = isBroken ? EXIT.broken : couldNotRun ? EXIT.couldNotRun : EXIT.held
}

async function runScenarios(chosen: readonly Scenario[], root: string): Promise<Result[]> {
  const results: Result[] = []
  for (const scenario of chosen) {
    const result = await runScenario(scenario, { ...run, root })
    if (interruption.signal.aborted) break
    for (const line of asLines(result)) say(line)
    results.push(result)
  }
  return results
}

/** One mix after the other, each with a seed of its own, so that one that fails can be repeated alone. */
async function runMix(minutes: number, root: string): Promise<Result[]> {
  const results: Result[] = []
  const endMs = performance.now() + minutes * 60_000
  for (let seed = options.seed; !interruption.signal.aborted; seed += 1) {
    const leftMs = endMs - performance.now()
    // A segment of the fleet takes as long as it does, and the last one what is left.
    const size = options.fleet ? Math.min(1, leftMs / FLEET_SEGMENT_MS) : run.size
    if (leftMs <= 0 || (options.fleet && results.length > 0 && size < LEAST_SIZE)) break
    const result = await runScenario(options.fleet ? FLEET_MIX : MIX, { ...run, size, seed, root })
    if (interruption.signal.aborted) break
    for (const line of asLines(result)) say(line)
    results.push(result)
  }
  return results
}

async function runTeeth(): Promise<Bite[]> {
  const bites: Bite[] = []
  for (const bug of bugs()) {
    if (interruption.signal.aborted) break
    const bitten = await bite(bug, run)
    if (interruption.signal.aborted) break
    for (const line of biteAsLines(bitten)) say(line)
    bites.push(bitten)
  }
  return bites
}

function scenarios(): readonly Scenario[] {
  const { scenario: names, short } = options
  if (names) return named([...SCENARIOS, MIX, FLEET_MIX], names, 'scenario')
  return short ? SCENARIOS.filter(({ isShort }) => isShort) : SCENARIOS
}

function bugs() {
  const { teeth, short } = options
  if (Array.isArray(teeth)) return named(BUGS, teeth, 'bug')
  return short ? BUGS.filter(({ isShort }) => isShort) : BUGS
}

function named<T extends { readonly name: string }>(
  from: readonly T[],
  names: readonly string[],
  what: string,
): T[] {
  const unknown = names.find((name) => !from.some((one) => one.name === name))
  if (unknown !== undefined) throw new Error(`no ${what} "${unknown}"; --list says which there are`)
  return from.filter(({ name }) => names.includes(name))
}

function list(): void {
  const lines = [...SCENARIOS, MIX, FLEET_MIX].map(({ name, proves }) => `${name.padEnd(24)} ${proves}`)
  print([...lines, '', 'Bugs:', ...BUGS.map(({ name, about }) => `${name.padEnd(24)} ${about}`)].join('\n'))
}

function report(results: readonly Result[], bites: readonly Bite[]): void {
  if (options.json) {
    print(JSON.stringify({ scenarios: resultsAsJson(results), bugs: bitesAsJson(bites) }, undefined, 2))
    return
  }
  const tables = [
    ...(results.length > 0 ? [asMarkdown(results)] : []),
    ...(bites.length > 0 ? [bitesAsMarkdown(bites)] : []),
    totalsAsMarkdown(results, bites),
  ]
  print(options.markdown ? tables.join('\n\n') : summary(results, bites))
}

function parseSeed(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('expected a whole number')
}

function parseMinutes(text: string): number {
  const minutes = Number(text)
  if (minutes > 0 && minutes <= 10_080) return minutes
  throw new InvalidArgumentError('expected a number of minutes')
}

function say(line: string): void {
  process.stderr.write(`chaos: ${line}\n`)
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}
