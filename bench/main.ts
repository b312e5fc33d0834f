import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Command, type CommanderError, InvalidArgumentError, Option } from 'commander'
import { exitWhenRead } from '../src/process/exit.ts'
import { measureCalls } from './calls.ts'
import { measureCluster } from './cluster.ts'
import { measureConsole } from './console.ts'
import { type Figure, MEASUREMENTS, type Measurement, USUAL } from './figures.ts'
import { measureFleet } from './fleet.ts'
import { measureGrowth } from './growth.ts'
import { measureIdle } from './idle.ts'
import type { measureJobs } from './jobs.ts'
import { measureKilled } from './killed.ts'
import { measureMemory } from './memory.ts'
import { Processes } from './processes.ts'
import { measureRace } from './race.ts'
import { measureRates, RATES } from './rates.ts'
import { asJson, asMarkdown, asTable } from './report.ts'
import { measureSchedules } from './schedules.ts'
import { measureSpread } from './spread.ts'

interface BenchOptions {
  readonly json?: true
  readonly markdown?: true
  readonly seconds: number
  readonly rounds: number
  readonly only?: readonly Measurement[]
}

const COULD_NOT_MEASURE = 2
const INTERRUPTED = 130

const program = new Command('npm run bench --')
  .description('Measures a server beside its limits: an empty Fastify route, SET NX, and a bare queue.add.')
  .addOption(
    new Option('--only <names...>', 'measure only these, and their limits').choices([...MEASUREMENTS]),
  )
  .option('--seconds <number>', 'how long each rate is measured, in 9 runs', parseSeconds, 5)
  .option('--rounds <number>', 'how many rounds are kept where growth is measured', parseRounds, 100_000)
  .addOption(new Option('--json', 'print JSON instead of a table').conflicts('markdown'))
  .option('--markdown', 'print the table as Markdown')
  .addHelpText(
    'after',
    '\nThe whole takes some eleven minutes; growth, which has to be asked for, five with 100,000 rounds, killed ten, console three, spread and cluster one each. Exit codes: 0 measured, also where a target is missed; 2 could not measure.' +
      '\n\nExamples:\n  $ npm run bench\n  $ npm run bench -- --only losers winners --seconds 10\n  $ npm run bench -- --only growth --rounds 1000000',
  )
  .exitOverride()
try {
  program.parse()
} catch (error) {
  await exitWhenRead((error as CommanderError).exitCode === 0 ? 0 : COULD_NOT_MEASURE)
}

const interruption = new AbortController()
const processes = new Processes(interruption.signal)
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    interruption.abort()
    // What is being measured fails with its server, so the bench ends by itself.
    processes.stop().catch(() => undefined)
  })
}

try {
  const options = program.opts<BenchOptions>()
  const figures = await measure(options)
  const print = options.json ? asJson : options.markdown ? asMarkdown : asTable
  process.stdout.write(`${print(figures)}\n`)
} catch (error) {
  process.exitCode = interruption.signal.aborted ? INTERRUPTED : COULD_NOT_MEASURE
  if (!interruption.signal.aborted) say(error instanceof Error ? error.message : String(error))
} finally {
  await processes.stop()
}

async function measure({ only = USUAL, seconds, rounds }: BenchOptions): Promise<Figure[]> {
  const figures: Figure[] = []
  const rates = RATES.filter((name) => only.includes(name))
  if (rates.length > 0) figures.push(...(await measureRates(processes, rates, seconds, say)))
  if (only.includes('idle')) figures.push(...(await measureIdle(processes, say)))
  if (only.includes('race')) figures.push(...(await measureRace(processes, say)))
  if (only.includes('memory')) figures.push(...(await measureMemory(processes, say)))
  if (only.includes('jobs')) figures.push(...(await measureBuiltJobs()))
  if (only.includes('growth')) figures.push(...(await measureGrowth(processes, rounds, say)))
  if (only.includes('schedules')) figures.push(...(await measureSchedules(processes, say)))
  if (only.includes('calls')) figures.push(...(await measureCalls(processes, say)))
  if (only.includes('fleet')) figures.push(...(await measureFleet(processes, say)))
  if (only.includes('console')) figures.push(...(await measureConsole(processes, say)))
  if (only.includes('spread')) figures.push(...(await measureSpread(processes, seconds, say)))
  if (only.includes('cluster')) figures.push(...(await measureCluster(processes, seconds, say)))
  if (only.includes('killed')) figures.push(...(await measureKilled(interruption.signal, say)))
  return figures
}

/** The worker is in this process, beside one of BullMQ that is built: a loader would name anew each function that a job of ours makes. */
async function measureBuiltJobs(): Promise<Figure[]> {
  const built = pathToFileURL(join(await processes.compiled(), 'bench/jobs.js'))
  const jobs = (await import(built.href)) as { readonly measureJobs: typeof measureJobs }
  return jobs.measureJobs(processes, say)
}

function say(line: string): void {
  process.stderr.write(`bench: ${line}\n`)
}

function parseRounds(text: string): number {
  const rounds = Number(text)
  if (Number.isInteger(rounds) && rounds >= 1_000 && rounds <= 10_000_000) return rounds
  throw new InvalidArgumentError('expected a whole number from 1,000 to 10,000,000')
}

function parseSeconds(text: string): number {
  const seconds = Number(text)
  if (seconds >= 1 && seconds <= 600) return seconds
  throw new InvalidArgumentError('expected a number from 1 to 600')
}
