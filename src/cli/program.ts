import { Command } from 'commander'
import { VERSION } from '../version.ts'

type Add = (program: Command) => unknown

/** Commands that are of one file. */
interface Part {
  /** By which it is loaded without the others; none where it needs them. */
  readonly names: readonly string[]
  readonly load: () => Promise<Add>
}

/** In the order of the help. */
const PARTS: readonly Part[] = [
  { names: ['demo'], load: async () => (await import('./demo.ts')).addDemo },
  { names: ['serve'], load: async () => (await import('./serve.ts')).addServe },
  { names: ['once'], load: async () => (await import('./rounds/once.ts')).addOnce },
  {
    names: ['elect', 'elected', 'complete', 'completed', 'fail', 'renew', 'cancel', 'retry'],
    load: async () => (await import('./rounds/round-commands.ts')).addRoundCommands,
  },
  { names: ['submit'], load: async () => (await import('./rounds/submit.ts')).addSubmit },
  { names: ['call'], load: async () => (await import('./rounds/call.ts')).addCall },
  { names: ['rounds'], load: async () => (await import('./rounds/rounds.ts')).addRounds },
  { names: ['queues'], load: async () => (await import('./status/queues.ts')).addQueues },
  { names: ['schedule'], load: async () => (await import('./schedule/schedule.ts')).addSchedule },
  { names: ['expectation'], load: async () => (await import('./alerts/expectation.ts')).addExpectation },
  { names: ['alerts'], load: async () => (await import('./alerts/alerts.ts')).addAlerts },
  { names: ['status'], load: async () => (await import('./status/status.ts')).addStatus },
  { names: ['ready'], load: async () => (await import('./ready.ts')).addReady },
  { names: ['doctor'], load: async () => (await import('./doctor/doctor.ts')).addDoctor },
  { names: ['work'], load: async () => (await import('./work.ts')).addWork },
  { names: ['fleet'], load: async () => (await import('./fleet/fleet.ts')).addFleet },
  { names: ['key'], load: async () => (await import('./key.ts')).addKey },
  { names: [], load: async () => (await import('./completion/completion.ts')).addCompletion },
]

/**
 * What `gone` is for whoever calls it with this word first: where that is a command it alone, because one in a crontab should start at once, and a
 * server would have the others in its memory; else all of them.
 */
export async function programFor(word: string | undefined): Promise<Command> {
  const part = PARTS.find(({ names }) => names.some((name) => name === word))
  if (part === undefined) return createProgram()
  const program = bareProgram()
  const add = await part.load()
  add(program)
  return program
}

/** All that `gone` can be told. */
export async function createProgram(): Promise<Command> {
  const program = bareProgram().addHelpText(
    'after',
    `
Examples:
  $ gone demo                                  see it work, nothing to set up
  $ gone serve                                 a server on http://127.0.0.1:8080
  $ gone once -s db -r 2026-11-22 -- ./backup.sh
  $ gone schedule set db nightly --cron "0 2 * * *" --worker shell
  $ gone elect db 2026-11-22 && ./backup.sh && gone complete db 2026-11-22

Exit codes of elect, elected, complete, completed, fail and renew:
  0  won, or done
  1  lost, not yet, or refused
  2  could not tell: bad usage, or no answer from the server`,
  )
  for (const add of await Promise.all(PARTS.map(({ load }) => load()))) add(program)
  return program
}

function bareProgram(): Command {
  return new Command('gone')
    .description('Every replica fires, one runs.')
    .version(VERSION)
    .configureOutput({
      outputError: (text, write) =>
        write(
          `gone: ${text
            .replace(/^error: /, '')
            .trim()
            .replaceAll('\n', ' ')} (see --help)\n`,
        ),
    })
    .exitOverride()
}
