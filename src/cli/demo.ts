import { type Command, InvalidArgumentError, Option } from 'commander'
import { parseDuration } from '../core/duration.ts'
import type { DemoOptions } from './demo/run.ts'

// A round with a takeover takes some 2.6 s, a job some 4 s: the other worker has room for the next one.
const MIN_EVERY_MS = 3_000
const MAX_EVERY_MS = 3_600_000

/** `gone demo`: five replicas on this machine, and a screen to watch them on. */
export function addDemo(program: Command): void {
  program
    .command('demo')
    .description('watch five replicas fire and one run, with nothing to set up')
    .addOption(
      new Option('--port <number>', 'port of the server; 0: any free one')
        .env('GONE_PORT')
        .default(8080)
        .argParser(port),
    )
    .addOption(
      new Option('--every <duration>', 'time from round to round, from 3s to 1h')
        .default(4_000, '4s')
        .argParser(every),
    )
    .addOption(
      new Option('--rounds <number>', 'end after so many rounds (default: at Ctrl-C)').argParser(rounds),
    )
    .addHelpText(
      'after',
      `
It starts a Redis of its own, a server, five replicas and two workers. The
replicas ask to lead each round, and submit it as a job, too. In every third
round the leader is killed in the middle of its work, in the next one the
worker, so that another takes over. At the end, all of it is stopped and
removed.

Examples:
  $ gone demo
  $ gone demo --rounds 3 --port 0

Exit codes:
  0  every round had one leader under each fence, and its job was completed once
  1  one had not, or was not
  2  could not run`,
    )
    .action(async (options: DemoOptions) => {
      const { runDemo } = await import('./demo/run.ts')
      process.exit(await runDemo(options))
    })
}

function port(text: string): number {
  const number = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN
  if (number <= 65_535) return number
  throw new InvalidArgumentError('expected an integer from 0 to 65535.')
}

function rounds(text: string): number {
  const number = /^\d{1,6}$/.test(text) ? Number(text) : 0
  if (number >= 1) return number
  throw new InvalidArgumentError('expected an integer from 1 to 999999.')
}

function every(text: string): number {
  const ms = parseDuration(text) ?? 0
  if (ms >= MIN_EVERY_MS && ms <= MAX_EVERY_MS) return ms
  throw new InvalidArgumentError('expected a duration like 4s, from 3s to 1h.')
}
