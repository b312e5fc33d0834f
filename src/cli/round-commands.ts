import { type Command, InvalidArgumentError, Option } from 'commander'
import { createClient, type GoneClient, type Reported } from '../client/client.ts'
import { formatDuration, parseDuration } from '../core/duration.ts'
import type { RoundJson } from '../core/wire.ts'
import { GoneError } from '../errors.ts'
import { clientKey, keyFileOption } from './api-key.ts'
import { visible } from './printable.ts'
import { quickFetch } from './quick-fetch.ts'
import { colorsOf, EXIT, exitWith } from './terminal.ts'

/** What a command found out: said in one line, or with --json as what the SDK answers. */
interface Finding {
  readonly isDone: boolean
  readonly line: string
  readonly json: unknown
}

interface RoundCommand {
  readonly name: string
  readonly about: string
  readonly options: readonly (keyof typeof OPTIONS)[]
  readonly examples: readonly string[]
  /** What the exit codes 0 and 1 mean. */
  readonly done: string
  readonly notNow: string
  readonly run: (client: GoneClient, system: string, round: string, options: Options) => Promise<Finding>
}

interface Options {
  readonly server: string
  readonly keyFile?: string
  readonly timeout: number
  readonly json?: boolean
  readonly candidate?: string
  readonly fence?: number
  readonly lease?: string
  readonly deadline?: string
  readonly wait?: string
  readonly reason?: string
  readonly result?: unknown
}

const OPTIONS = {
  candidate: () =>
    new Option(
      '--candidate <token>',
      'who you are: makes the call safe to repeat; show the same token when you report',
    ),
  fence: () =>
    new Option('--fence <number>', 'the fence that elect answered: proves that you lead').argParser(whole),
  lease: () =>
    new Option('--lease <duration>', 'how long the leader may be silent before another takes over'),
  deadline: () => new Option('--deadline <duration>', 'when an unreported round turns red (server: 60m)'),
  wait: () => new Option('--wait <duration>', 'stand by for the lead or the end of the round, up to 60s'),
  waitForEnd: () => new Option('--wait <duration>', 'wait for the end of the round, up to 60s'),
  reason: () => new Option('--reason <text>', 'why the work was given up'),
  result: () => new Option('--result <json>', 'what came of the work, kept with the round').argParser(json),
}

const COMMANDS: readonly RoundCommand[] = [
  {
    name: 'elect',
    about: 'ask to lead a round: of all who ask, exactly one is told yes',
    options: ['candidate', 'lease', 'deadline', 'wait'],
    examples: [
      'gone elect db 2026-11-22 && ./backup.sh && gone complete db 2026-11-22',
      'gone elect db 2026-11-22 --candidate "$POD_NAME" --lease 30s --wait 25s',
    ],
    done: 'you lead the round',
    notNow: 'you do not, or it is finished',
    run: elect,
  },
  {
    name: 'elected',
    about: 'say who leads a round',
    options: [],
    examples: ['gone elected db 2026-11-22'],
    done: 'the round has a leader',
    notNow: 'nobody has led it yet',
    run: elected,
  },
  {
    name: 'complete',
    about: 'report the work of a round as done',
    options: ['candidate', 'fence', 'result'],
    examples: [
      'gone complete db 2026-11-22',
      `gone complete db 2026-11-22 --candidate "$POD_NAME" --result '{"rows":42}'`,
    ],
    done: 'recorded, now or by your earlier call',
    notNow: 'refused: another has reported, or leads with a token of its own',
    run: async (client, system, round, { fence, result }) =>
      reported(await client.complete(system, round, given({ fence, result }))),
  },
  {
    name: 'completed',
    about: 'say whether the work of a round was done',
    options: ['waitForEnd'],
    examples: ['gone completed db 2026-11-22', 'gone completed db 2026-11-22 --wait 60s --json'],
    done: 'it was done',
    notNow: 'it was not, or not yet',
    run: completed,
  },
  {
    name: 'fail',
    about: 'report that the work of a round was given up',
    options: ['candidate', 'fence', 'reason'],
    examples: ['gone fail db 2026-11-22 --reason "disk full"'],
    done: 'recorded, now or by your earlier call',
    notNow: 'refused: another has reported, or leads with a token of its own',
    run: async (client, system, round, { fence, reason }) =>
      reported(await client.fail(system, round, given({ fence, reason }))),
  },
  {
    name: 'renew',
    about: 'say that you are still working: extends the lease',
    options: ['candidate', 'fence', 'lease'],
    examples: ['gone renew db 2026-11-22 --fence 7', 'gone renew db 2026-11-22 --fence 7 --lease 5m'],
    done: 'you still lead the round',
    notNow: 'you do not, or it is finished: stop working',
    run: renew,
  },
]

const PATIENCE_MS = 1_000

/** `gone elect`, `elected`, `complete`, `completed`, `fail` and `renew`: the SDK for shells. */
export function addRoundCommands(program: Command): void {
  for (const command of COMMANDS) addRoundCommand(program, command)
}

function addRoundCommand(program: Command, { name, about, options, examples, ...rest }: RoundCommand): void {
  const command = program
    .command(name)
    .description(about)
    .argument('<system>', 'the name that all replicas of a service share')
    .argument('<round>', 'the occurrence of the work; all replicas must compute the same')
  for (const option of options) command.addOption(OPTIONS[option]())
  command
    .addOption(
      new Option('--server <url>', 'the gone server').env('GONE_URL').default('http://127.0.0.1:8080'),
    )
    .addOption(keyFileOption())
    .addOption(
      new Option('--timeout <duration>', 'how long to ask again while no server can answer')
        .argParser(duration)
        .default(10_000, '10s'),
    )
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `\nExamples:\n${examples.map((example) => `  $ ${example}`).join('\n')}\n\nExit codes:\n  0  ${rest.done}\n` +
        `  1  ${rest.notNow}\n  2  could not tell: bad usage, or no answer from the server`,
    )
    .action((system: string, round: string, chosen: Options) => run(rest, system, round, chosen))
}

async function run(
  command: Pick<RoundCommand, 'run'>,
  system: string,
  round: string,
  options: Options,
): Promise<void> {
  process.once('uncaughtException', (error) => exitWith(error, options.json))
  const patience =
    process.stderr.isTTY && !options.wait ? setTimeout(sayPatience, PATIENCE_MS, options) : undefined
  try {
    const { server: url, candidate = null, timeout: timeoutMs } = options
    // Without a token of the caller's there is none: a random one would be gone by the time of `gone complete`.
    const client = createClient({ url, candidate, timeoutMs, fetch: quickFetch, ...clientKey(options) })
    const { isDone, line, json } = await command.run(client, system, round, options)
    const { green, yellow } = colorsOf(process.stdout)
    process.stdout.write(
      `${options.json ? JSON.stringify(json) : (isDone ? green : yellow)(visible(line))}\n`,
    )
    process.exitCode = isDone ? EXIT.done : EXIT.notNow
  } catch (error) {
    exitWith(withHint(error), options.json)
  } finally {
    clearTimeout(patience)
  }
}

/** To the person who waits. */
function sayPatience({ server, timeout }: Options): void {
  process.stderr.write(`no answer from ${server} yet, asking again for up to ${formatDuration(timeout)}\n`)
}

async function elect(
  client: GoneClient,
  system: string,
  round: string,
  { lease, deadline, wait }: Options,
): Promise<Finding> {
  const election = await client.elect(system, round, given({ lease, deadline, wait }))
  const { leads, leader, fence, state } = election
  const isOver = state === 'completed' || state === 'failed'
  // The same token is told again that it leads; but who asks in order to work has nothing left to do.
  if (leads && isOver) {
    return { isDone: false, line: `finished: you led it (fence ${fence}), ${state}`, json: election }
  }
  if (leads) return { isDone: true, line: `leader (fence ${fence})`, json: election }
  const who = leader === undefined ? '' : `: ${leader} ${isOver ? 'led' : 'leads'} (fence ${fence})`
  return { isDone: false, line: `not the leader${who}${isOver ? `, ${state}` : ''}`, json: election }
}

async function elected(client: GoneClient, system: string, round: string): Promise<Finding> {
  const found = await client.elected(system, round)
  if (found === undefined) return { isDone: false, line: 'nobody yet', json: null }
  return { isDone: true, line: `${found.leader} (fence ${found.fence}), ${found.state}`, json: found }
}

async function completed(
  client: GoneClient,
  system: string,
  round: string,
  { wait }: Options,
): Promise<Finding> {
  const found = await client.round(system, round, given({ wait }))
  const isDone = found?.state === 'completed'
  return { isDone, line: isDone ? endOf(found) : `not completed: ${endOf(found)}`, json: found ?? null }
}

function endOf(found: RoundJson | undefined): string {
  if (found === undefined) return 'nobody has led it'
  if (found.state === 'submitted') return 'no worker has started it'
  if (found.completion === undefined) return `${found.leader} leads (fence ${found.fence}), ${found.state}`
  const { outcome, by, result, reason } = found.completion
  const detail = outcome === 'failed' ? reason : result === undefined ? undefined : JSON.stringify(result)
  return `${outcome} by ${by} (fence ${found.fence})${detail === undefined ? '' : `: ${detail}`}`
}

function reported(answer: Reported): Finding {
  if (answer.kind === 'refused') return { isDone: false, line: `refused: ${answer.detail}`, json: answer }
  const { state, fence } = answer.round
  return { isDone: true, line: `recorded as ${state} (fence ${fence})`, json: answer }
}

async function renew(
  client: GoneClient,
  system: string,
  round: string,
  { candidate, fence, lease }: Options,
): Promise<Finding> {
  if (candidate === undefined && fence === undefined) {
    throw new GoneError(
      'INVALID_PARAMETER',
      'renew: show that you lead, with --fence or the --candidate you were elected with',
    )
  }
  const renewal = await client.renew(system, round, given({ fence, lease }))
  if (renewal.kind !== 'renewed') {
    return { isDone: false, line: `not renewed: ${renewal.detail}`, json: renewal }
  }
  const { leaseExpiresAt } = renewal.round
  const until = leaseExpiresAt === undefined ? 'without a lease' : `lease until ${leaseExpiresAt}`
  return { isDone: true, line: `leader (fence ${renewal.round.fence}), ${until}`, json: renewal }
}

/** The options that were given; the SDK's are missing rather than undefined. */
function given<T extends object>(options: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as ReturnType<
    typeof given<T>
  >
}

function withHint(error: unknown): unknown {
  if (!(error instanceof GoneError) || error.code !== 'SERVER_UNREACHABLE') return error
  const hint = 'start one with "gone serve", or name it with --server or GONE_URL'
  return new GoneError(error.code, `${error.message}; ${hint}`, { cause: error })
}

function whole(text: string): number {
  if (/^\d{1,16}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('expected an integer.')
}

function duration(text: string): number {
  const ms = parseDuration(text)
  if (ms) return ms
  throw new InvalidArgumentError('expected a duration like 30s.')
}

function json(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    throw new InvalidArgumentError('expected JSON, such as \'{"rows":42}\'.')
  }
}
