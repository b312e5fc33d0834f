import { Command, InvalidArgumentError, Option } from 'commander'
import { asJson, asLines, asMarkdown, summary } from './report.ts'
import { type Result, runScenario } from './runner.ts'
import type { Scenario } from './scenario.ts'
import { SCENARIOS } from './scenarios/all.ts'
import { TREE } from './tree.ts'

interface ChaosOptions {
  readonly scenario?: readonly string[]
  readonly seed: number
  readonly short?: true
  readonly list?: true
  readonly json?: true
  readonly markdown?: true
}

const EXIT = { held: 0, broken: 1, couldNotRun: 2, interrupted: 130 } as const
const SHORT_SIZE = 0.1

const program = new Command('npm run chaos --')
  .description(
    'Breaks real servers, workers and Redis on purpose, records every call, and checks what was answered.',
  )
  .option('--scenario <names...>', 'run only these')
  .option('--seed <number>', 'what the faults are drawn from', parseWhole, 1)
  .option('--short', 'the form for CI: fewer scenarios, fewer rounds')
  .option('--list', 'say what there is')
  .addOption(new Option('--json', 'print JSON instead of a summary').conflicts('markdown'))
  .option('--markdown', 'print the table as Markdown')
  .addHelpText('after', '\nExit codes: 0 all held; 1 something was broken; 2 could not run; 130 interrupted.')
  .exitOverride((error) => process.exit(error.exitCode === 0 ? EXIT.held : EXIT.couldNotRun))
  .parse()

const interruption = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => interruption.abort(new Error('interrupted')))
}

const options = program.opts<ChaosOptions>()
try {
  if (options.list) print(SCENARIOS.map(({ name, proves }) => `${name.padEnd(24)} ${proves}`).join('\n'))
  else await runAll(options)
} catch (error) {
  say(error instanceof Error ? error.message : String(error))
  process.exitCode = EXIT.couldNotRun
}
if (interruption.signal.aborted) process.exitCode = EXIT.interrupted

async function runAll(options: ChaosOptions): Promise<void> {
  const results: Result[] = []
  for (const scenario of chosen(options)) {
    if (interruption.signal.aborted) return
    const result = await runScenario(scenario, {
      seed: options.seed,
      root: TREE,
      size: options.short ? SHORT_SIZE : 1,
      interruption: interruption.signal,
    })
    if (interruption.signal.aborted) return
    for (const line of asLines(result)) say(line)
    results.push(result)
  }
  print(options.json ? asJson(results) : options.markdown ? asMarkdown(results) : summary(results))
  if (results.some(({ isGood }) => !isGood)) process.exitCode = EXIT.broken
}

function chosen({ scenario: names, short }: ChaosOptions): readonly Scenario[] {
  const unknown = names?.find((name) => !SCENARIOS.some((scenario) => scenario.name === name))
  if (unknown !== undefined) throw new Error(`no scenario "${unknown}"; --list says which there are`)
  if (names) return SCENARIOS.filter(({ name }) => names.includes(name))
  return short ? SCENARIOS.filter(({ isShort }) => isShort) : SCENARIOS
}

function parseWhole(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('expected a whole number')
}

function say(line: string): void {
  process.stderr.write(`chaos: ${line}\n`)
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}
