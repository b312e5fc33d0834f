import { Command, InvalidArgumentError, Option } from 'commander'
import { type Figure, MEASUREMENTS, type Measurement } from './figures.ts'
import { measureGrowth } from './growth.ts'
import { measureJobs } from './jobs.ts'
import { measureKilled } from './killed.ts'
import { measureMemory } from './memory.ts'
import { Processes } from './processes.ts'
import { measureRace } from './race.ts'
import { measureRates, RATES } from './rates.ts'
import { asJson, asMarkdown, asTable } from './report.ts'
import { measureSchedules } from './schedules.ts'

interface BenchOptions {
  readonly json?: true
  readonly markdown?: true
  readonly seconds: number
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
  .addOption(new Option('--json', 'print JSON instead of a table').conflicts('markdown'))
  .option('--markdown', 'print the table as Markdown')
  .addHelpText(
    'after',
    '\nThe whole takes some six minutes; growth, which has to be asked for, as long again, and killed ten. Exit codes: 0 measured, also where a target is missed; 2 could not measure.' +
      '\n\nExamples:\n  $ npm run bench\n  $ npm run bench -- --only losers winners --seconds 10',
  )
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : COULD_NOT_MEASURE))
  .parse()

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

/** These take as long as all others together, so they have to be asked for. */
const USUAL = MEASUREMENTS.filter((name) => name !== 'growth' && name !== 'killed')

async function measure({ only = USUAL, seconds }: BenchOptions): Promise<Figure[]> {
  const figures: Figure[] = []
  const rates = RATES.filter((name) => only.includes(name))
  if (rates.length > 0) figures.push(...(await measureRates(processes, rates, seconds, say)))
  if (only.includes('race')) figures.push(...(await measureRace(processes, say)))
  if (only.includes('memory')) figures.push(...(await measureMemory(processes, say)))
  if (only.includes('jobs')) figures.push(...(await measureJobs(processes, say)))
  if (only.includes('growth')) figures.push(...(await measureGrowth(processes, say)))
  if (only.includes('schedules')) figures.push(...(await measureSchedules(processes, say)))
  if (only.includes('killed')) figures.push(...(await measureKilled(interruption.signal, say)))
  return figures
}

function say(line: string): void {
  process.stderr.write(`bench: ${line}\n`)
}

function parseSeconds(text: string): number {
  const seconds = Number(text)
  if (seconds >= 1 && seconds <= 600) return seconds
  throw new InvalidArgumentError('expected a number from 1 to 600')
}
