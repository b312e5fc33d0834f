import { type Command, Option } from 'commander'
import { createClient } from '../../client/client.ts'
import { LIMIT, type RoundsOptions } from '../../client/list-rounds.ts'
import type { RoundState } from '../../core/rounds/record.ts'
import type { RoundJson } from '../../core/rounds/round-wire.ts'
import { pause } from '../../waiting.ts'
import { type AskOptions, addAskOptions, ask, given, helpText } from '../ask.ts'
import { duration, whole } from '../option-values.ts'
import { clientOptions } from '../server-options.ts'
import { colorsOf, columnsOf, EXIT, exitWith } from '../terminal.ts'

interface ListOptions extends AskOptions {
  readonly system?: string
  readonly state?: RoundState
  readonly worker?: string
  readonly text?: string
  readonly limit?: number
  readonly follow?: boolean
  readonly every: number
}

const STATES: readonly RoundState[] = ['submitted', 'open', 'led', 'overdue', 'completed', 'failed']
const EVERY_MS = 2_000

/** `gone rounds ...`: what has come, who runs it and how it ended. */
export function addRounds(program: Command): void {
  const rounds = program
    .command('rounds')
    .description('see rounds: what has come, who runs it, how it ended')
    .addHelpText(
      'after',
      `
Examples:
  $ gone rounds
  $ gone rounds --state failed --worker mailer
  $ gone rounds show db 2026-11-22

Exit codes:
  0  shown
  1  nobody has led or submitted it
  2  could not tell: bad usage, or no answer from the server`,
    )
  addList(rounds)
  addShow(rounds)
}

function addList(rounds: Command): void {
  const command = rounds
    .command('list', { isDefault: true })
    .description('list rounds, newest first')
    .option('--system <system>', 'only those of this system')
    .addOption(new Option('--state <state>', 'only those in this state').choices(STATES))
    .option('--worker <worker>', 'only those that were submitted to this worker')
    .option('--text <text>', 'only those whose name has this text, in whatever case')
    .addOption(new Option('--limit <number>', 'at most so many (default: 100)').argParser(whole))
    .option('--follow', 'then print each as it comes and changes, of the newest --limit; Ctrl-C ends it')
    .addOption(
      new Option('--every <duration>', 'with --follow, how often to look')
        .default(EVERY_MS, '2s')
        .argParser(duration),
    )
  addAskOptions(command)
    .addHelpText(
      'after',
      helpText(
        [
          'gone rounds list --system db --text 2026-11',
          'gone rounds list --state led --follow --json | jq .',
        ],
        ['shown, also if there are none'],
      ),
    )
    .action((options: ListOptions) => (options.follow ? follow(options) : list(options)))
}

function wantedOf({ system, state, worker, text, limit }: ListOptions): RoundsOptions {
  return given({ system, state, worker, text, limit })
}

function list(options: ListOptions): Promise<void> {
  return ask(options, async (client, colors) => {
    const { roundTable } = await import('./round-tables.ts')
    const rounds = await client.rounds(wantedOf(options))
    const none = `no ${options.state === undefined ? '' : `${options.state} `}rounds`
    const text = rounds.length === 0 ? none : roundTable(rounds, colors, columnsOf(process.stdout))
    return { isDone: true, text, json: rounds }
  })
}

/** Each round when it comes, and whenever it has changed since the last look; the oldest first. */
async function follow(options: ListOptions): Promise<void> {
  const ending = new AbortController()
  process.once('SIGINT', () => ending.abort())
  process.once('SIGTERM', () => ending.abort())
  try {
    const { roundLine } = await import('./round-tables.ts')
    const client = createClient({ ...clientOptions(options), candidate: null })
    const colors = colorsOf(process.stdout)
    const { limit = LIMIT } = options
    let seen: Looked | undefined
    while (!ending.signal.aborted) {
      // The one beyond tells whether there are others.
      const asked = await client.rounds({ ...wantedOf(options), limit: limit + 1, signal: ending.signal })
      const rounds = asked.slice(0, limit)
      const changed = rounds.filter((round) => seen?.get(keyOf(round)) !== markOf(round)).reverse()
      for (const round of changed)
        process.stdout.write(`${options.json ? JSON.stringify(round) : roundLine(round, colors)}\n`)
      const looked: Looked = new Map(rounds.map((round) => [keyOf(round), markOf(round)]))
      if (seen && asked.length > limit && isBeyond(seen, asked.map(keyOf)))
        process.stderr.write(`gone: more than ${limit} rounds came or go on: not all are shown (--limit)\n`)
      seen = looked
      await pause(options.every, ending.signal)
    }
  } catch (error) {
    if (!ending.signal.aborted) await exitWith(error, options.json)
  }
  process.exitCode = EXIT.done
}

/** What is seen of each round that a look has shown. */
type Looked = ReadonlyMap<string, string>

/** Of more than are shown: true if all of them have come since, or one that may yet change is looked at no more. */
function isBeyond(before: Looked, asked: readonly string[]): boolean {
  if (!asked.some((key) => before.has(key))) return true
  const shown = new Set(asked.slice(0, -1))
  return [...before].some(([key, mark]) => !shown.has(key) && !/^(?:completed|failed) /.test(mark))
}

function keyOf({ system, round }: RoundJson): string {
  return `${system}/${round}`
}

/** Another where there is news: a renewed lease is none. */
function markOf({ state, fence, history }: RoundJson): string {
  return `${state} ${fence} ${history?.[0]?.retriedAt}`
}

function addShow(rounds: Command): void {
  const command = rounds
    .command('show')
    .description('show one round, and how it had ended before it was opened again')
    .argument('<system>', 'the name that all replicas of a service share')
    .argument('<round>', 'the occurrence of the work')
  addAskOptions(command)
    .addHelpText(
      'after',
      helpText(['gone rounds show db 2026-11-22'], ['shown', 'nobody has led or submitted it']),
    )
    .action((system: string, round: string, options: AskOptions) =>
      ask(options, async (client, colors) => {
        const found = await client.round(system, round)
        if (!found)
          return {
            isDone: false,
            text: colors.yellow(`${system}/${round}: nobody has led or submitted it`),
            json: null,
          }
        const { roundDetails } = await import('./round-tables.ts')
        return { isDone: true, text: roundDetails(found, colors), json: found }
      }),
    )
}
