import type { Command } from 'commander'
import { createClient } from '../../client/client.ts'
import { durationMs } from '../../client/duration.ts'
import type { Lead, OnceEnd } from '../../client/once.ts'
import type { SlotCalls } from '../../client/server-clock.ts'
import { MAX_REASON, MAX_RESULT_BYTES } from '../../core/rounds/limits.ts'
import { GoneError } from '../../errors.ts'
import { ownName } from '../option-values.ts'
import { addServerOptions, clientOptions, type ServerOptions } from '../server-options.ts'
import { EXIT, exitWith } from '../terminal.ts'
import { type CommandEnd, isRunnable, startCommand } from './command.ts'

interface OnceCommandOptions extends ServerOptions {
  readonly system: string
  readonly round?: string
  readonly roundEvery?: string
  readonly tz?: string
  readonly lease: string
  readonly wait?: string
  readonly deadline?: string
  readonly candidate?: string
  readonly name?: string
  readonly json?: boolean
  readonly verbose?: boolean
}

/** EX_TEMPFAIL of sysexits.h: the lead was lost while the command ran. */
const LEASE_LOST = 75
/** Of its lease a command has so much to end by itself in. A tenth is left when the lead is given up: the rest is for the kill. */
const GRACE_SHARE = 0.08
const MAX_GRACE_MS = 5_000
const SIGNALS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const

/** `gone once`: every replica starts it, one runs the command. */
export function addOnce(program: Command): void {
  const command = program
    .command('once')
    .description('run a command if nobody else has run it in this round')
    .argument('<command...>', 'what to run, after --')
    .requiredOption('-s, --system <name>', 'the name that all replicas of a service share')
    .option('-r, --round <name>', 'the occurrence of the work; all replicas must compute the same')
    .option(
      '--round-every <time>',
      "in place of -r, from the servers' clock: 15m, 1h, 1d or a cron expression",
    )
    .option('--tz <zone>', 'the time zone of --round-every, such as Europe/Berlin (default: UTC)')
    .option('--lease <duration>', 'how long this process may be silent before another takes over', '30s')
    .option('--wait <duration>', 'stand by for the lead so long, in case the winner dies')
    .option('--deadline <duration>', 'when an unreported round turns red (server: 60m)')
    .option('--candidate <token>', 'who you are: goes on with the round that it leads already')
    .option('--name <text>', 'what you are called where it is shown who leads (default: host and pid)')
  addServerOptions(command)
    .option('--json', 'print what came of it as JSON, in a line after all others')
    .option('--verbose', 'say on stderr what happens')
    .addHelpText('after', HELP)
    .action(runOnce)
}

const HELP = `
The command runs without a shell, and finds GONE_SYSTEM, GONE_ROUND and
GONE_FENCE in its environment. Exit code 0 completes the round, with the end of
its output as the result; any other fails it, and nobody runs it again. Where
the lease is lost, or this process dies, the command and all it has started are
killed, by force before another can have the lease: its process group, and on
Linux also what has left that (setsid) and still has GONE_RUN in its
environment. Show the fence where the effect lands,
and refuse lower ones there: no kill reaches a machine that sleeps.

--round-every takes the latest slot at or before now by the servers' clock, and
forgives 5 s of earliness.

Examples:
  $ gone once -s db -r 2026-11-22 -- pg_dump -f /backup/db.dump mydb
  $ gone once -s db -r 2026-11-22 --wait 10m -- sh -c 'echo "fence $GONE_FENCE"'

  In the crontab of every replica:
  0 8 * * * gone once -s report --round-every 1d --tz Europe/Berlin -- send-report

Exit codes:
  0    the command ran and was done; or another runs it, or has run it
  2    could not tell: bad usage, or no answer from the server
  75   the lead was lost while the command ran
  else the command's own, or 128 and the number of the signal that ended it`

async function runOnce(words: string[], options: OnceCommandOptions): Promise<void> {
  process.once('uncaughtException', (error) => void exitWith(error, options.json))
  const say = (line: string) => {
    if (options.verbose) process.stderr.write(`gone: ${line}\n`)
  }
  const stop = new AbortController()
  const run: Run = { words, say, stop: stop.signal }
  const passOn = (signal: NodeJS.Signals) => {
    run.stoppedBy ??= signal
    if (run.command) run.command.signal(signal)
    else stop.abort(new Stopped(signal))
  }
  for (const name of Object.keys(SIGNALS) as (keyof typeof SIGNALS)[]) process.on(name, passOn)
  try {
    finish(await elect(run, options), say, options)
  } catch (error) {
    await exitAfter(error, run, options.json)
  } finally {
    for (const name of Object.keys(SIGNALS) as (keyof typeof SIGNALS)[]) process.off(name, passOn)
  }
}

interface Run {
  readonly words: readonly string[]
  readonly say: (line: string) => void
  readonly stop: AbortSignal
  stoppedBy?: NodeJS.Signals
  command?: ReturnType<typeof startCommand>
  end?: CommandEnd
}

/** The command ended otherwise than well. Its message is the round's reason. */
class CommandFailed extends Error {}

/** A signal came before the command was started. */
class Stopped extends Error {
  constructor(readonly signal: NodeJS.Signals) {
    super(`stopped by ${signal}`)
  }
}

async function elect(run: Run, options: OnceCommandOptions): Promise<OnceEnd<unknown>> {
  const { system, lease, wait, deadline, candidate, name = ownName() } = options
  const [command = ''] = run.words
  if (!isRunnable(command, process.env.PATH))
    throw new GoneError('INVALID_PARAMETER', `${command}: no such command, or it cannot be run`)
  const client = createClient({ ...clientOptions(options), candidate: null })
  const round = await roundOf(options, client)
  run.say(`asking for ${system} ${round}`)
  return client.once(system, round, (lead) => work(run, options, round, lead), {
    lease,
    name,
    signal: run.stop,
    ...(wait !== undefined && { wait }),
    ...(deadline !== undefined && { deadline }),
    ...(candidate !== undefined && { candidate }),
  })
}

async function roundOf({ round, roundEvery, tz }: OnceCommandOptions, client: SlotCalls): Promise<string> {
  if ((round === undefined) === (roundEvery === undefined))
    throw new GoneError('INVALID_PARAMETER', 'round: expected one of --round and --round-every')
  if (round !== undefined && tz !== undefined)
    throw new GoneError('INVALID_PARAMETER', 'tz: only for --round-every')
  if (round !== undefined) return round
  const { slotAt } = await import('../../core/time/slot.ts')
  const slotBy = (nowMs: number) => slotAt(roundEvery ?? '', tz ?? 'UTC', nowMs)
  // What is wrong with it is said before anybody is asked.
  slotBy(Date.now())
  const { now } = await client.slot({ every: '1s' })
  return slotBy(now.getTime())
}

async function work(
  run: Run,
  { system, lease }: OnceCommandOptions,
  round: string,
  { fence, signal }: Lead,
): Promise<unknown> {
  signal.throwIfAborted()
  run.say(`leading under fence ${fence}`)
  const graceMs = Math.min(MAX_GRACE_MS, durationMs('lease', lease) * GRACE_SHARE)
  const environment = { GONE_SYSTEM: system, GONE_ROUND: round, GONE_FENCE: String(fence) }
  const command = startCommand(run.words, { ...process.env, ...environment }, graceMs)
  run.command = command
  let killing: Promise<void> | undefined
  const kill = () => {
    killing = command.kill()
  }
  signal.addEventListener('abort', kill)
  try {
    run.end = await command.ended
  } finally {
    await killing
    signal.removeEventListener('abort', kill)
  }
  const { code, tail } = run.end
  if (code === 0 && run.stoppedBy === undefined) return { exitCode: 0, tail: keptTail(tail) }
  throw new CommandFailed(reasonOf(run.end, run.stoppedBy))
}

function reasonOf({ code, signal, tail }: CommandEnd, stoppedBy: NodeJS.Signals | undefined): string {
  const how = stoppedBy ? `stopped by ${stoppedBy}` : signal ? `killed by ${signal}` : `exit code ${code}`
  const rest = MAX_REASON - how.length - 2
  return tail === '' ? how : `${how}: ${tail.slice(-rest).toWellFormed()}`
}

/** Control characters take six bytes of JSON each, so that 2 KB could be too many. */
function keptTail(tail: string): string {
  let kept = tail
  while (Buffer.byteLength(JSON.stringify({ exitCode: 0, tail: kept })) > MAX_RESULT_BYTES)
    kept = kept.slice(Math.ceil(kept.length / 4)).toWellFormed()
  return kept
}

function finish(
  end: OnceEnd<unknown>,
  say: (line: string) => void,
  { json = false, verbose: isVerbose = false }: OnceCommandOptions,
): void {
  if (end.kind === 'ran') say(`completed under fence ${end.fence}`)
  else {
    const lost = `not the leader${end.leader === undefined ? '' : `: ${end.leader}`}, ${end.state ?? 'led'}`
    // In a crontab that would be a mail from every loser; a person is told why nothing ran.
    if (process.stderr.isTTY && !isVerbose) process.stderr.write(`gone: ${lost}\n`)
    else say(lost)
  }
  if (json) process.stdout.write(`${JSON.stringify(end)}\n`)
}

/** The command's end goes before what could not be reported of it: its exit code is what the caller knows best. */
async function exitAfter(error: unknown, { end, stoppedBy, say }: Run, isJson = false): Promise<void> {
  if (error instanceof Stopped || (error instanceof CommandFailed && stoppedBy)) {
    say(error.message)
    process.exitCode = end?.code || SIGNALS[stoppedBy as keyof typeof SIGNALS]
  } else if (error instanceof CommandFailed) {
    say(`failed: ${error.message}`)
    process.exitCode = end?.code ?? EXIT.unknown
  } else if (error instanceof GoneError && error.code === 'LEASE_LOST') {
    process.stderr.write(`gone: ${error.message}\n`)
    process.exitCode = LEASE_LOST
  } else await exitWith(error, isJson)
  if (!isJson) return
  const reason = error instanceof Error ? error.message : String(error)
  process.stdout.write(`${JSON.stringify({ kind: 'failed', exitCode: process.exitCode, reason })}\n`)
}
