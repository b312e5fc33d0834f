import { type Command, Option } from 'commander'
import { span, whole } from '../core/expect.ts'
import { exitWhenRead } from '../process/exit.ts'
import type { DemoOptions } from './demo/run.ts'
import { by } from './option-values.ts'

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
        .argParser(by(whole(0, 65_535))),
    )
    .addOption(
      new Option('--every <duration>', 'time from round to round, from 3s to 1h')
        .default(4_000, '4s')
        .argParser(by(span(MIN_EVERY_MS, MAX_EVERY_MS), 'a duration like 4s, from 3s to 1h')),
    )
    .addOption(
      new Option('--rounds <number>', 'end after so many rounds or faults (default: at Ctrl-C)').argParser(
        by(whole(1, 999_999)),
      ),
    )
    .option('--fleet', 'two supervisors of three instances each, to which something happens all the time')
    .addHelpText(
      'after',
      `
It starts a Redis of its own, a server, five replicas and two workers. The
replicas ask to lead each round, and submit it as a job, too. In every third
round the leader is killed in the middle of its work, in the next one the
worker, so that another takes over. After the first of three a worker is
unregistered, and comes back in the next. At the end, all of it is stopped
and removed.

With --fleet it starts two supervisors in place of those, which keep three
instances each, and runs four jobs a second. Every few seconds an instance is
killed with SIGKILL, stopped or has a leak, or all get another release; one in
two releases does not start, and is rolled back. --every is the time from one
to the next; 0 means that each job was completed once, and each was replaced.

Examples:
  $ gone demo
  $ gone demo --fleet
  $ gone demo --rounds 3 --port 0

Exit codes:
  0  every round had one leader under each fence, and its job was completed once
  1  one had not, or was not
  2  could not run`,
    )
    .action(async ({ fleet = false, ...options }: DemoOptions & { readonly fleet?: boolean }) => {
      if (fleet) {
        const { runFleetDemo } = await import('./demo/fleet-run.ts')
        return exitWhenRead(await runFleetDemo(options))
      }
      const { runDemo } = await import('./demo/run.ts')
      return exitWhenRead(await runDemo(options))
    })
}
