import { type Command, Option } from 'commander'
import type { GoneClient } from '../../client/client.ts'
import type { Cancelled, Reported, Retried } from '../../client/rounds.ts'
import { visible } from '../../core/printable.ts'
import type { RoundJson } from '../../core/rounds/round-wire.ts'
import { GoneError } from '../../errors.ts'
import { type Answer, type AskOptions, addAskOptions, ask, given, helpText } from '../ask.ts'
import { json, ownName, whole } from '../option-values.ts'

/** What a command found out: said in one line, or with --json as what the SDK answers. */
interface Finding extends Pick<Answer, 'isDone' | 'json'> {
  readonly line: string
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

interface Options extends AskOptions {
  readonly candidate?: string
  readonly name?: string
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
  name: () =>
    new Option('--name <text>', 'what you are called where it is shown who leads (default: host and pid)'),
  fence: () =>
    new Option('--fence <number>', 'the fence that elect answered: proves that you lead').argParser(whole),
  lease: () =>
    new Option('--lease <duration>', 'how long the leader may be silent before another takes over'),
  deadline: () => new Option('--deadline <duration>', 'when an unreported round turns red (server: 60m)'),
  wait: () => new Option('--wait <duration>', 'stand by for the lead or the end of the round, up to 50s'),
  waitForEnd: () => new Option('--wait <duration>', 'wait for the end of the round, up to 50s'),
  reason: () => new Option('--reason <text>', 'why the work was given up'),
  purpose: () => new Option('--reason <text>', 'why, for those who look at the round later'),
  result: () => new Option('--result <json>', 'what came of the work, kept with the round').argParser(json),
}

const COMMANDS: readonly RoundCommand[] = [
  {
    name: 'elect',
    about: 'ask to lead a round: of all who ask, exactly one is told yes',
    options: ['candidate', 'name', 'lease', 'deadline', 'wait'],
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
    examples: ['gone completed db 2026-11-22', 'gone completed db 2026-11-22 --wait 45s --json'],
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
  {
    name: 'cancel',
    about: 'end a round as failed, whoever runs it; its handler is told within 4 s',
    options: ['purpose'],
    examples: ['gone cancel db 2026-11-22 --reason "the disk is being replaced"'],
    done: 'cancelled, now or by an earlier call',
    notNow: 'it has an end of its own, or nobody has led or submitted it',
    run: async (client, system, round, { reason }) =>
      cancelled(await client.cancel(system, round, given({ reason }))),
  },
  {
    name: 'retry',
    about: 'open a round again that has failed or is overdue',
    options: ['purpose'],
    examples: ['gone retry db 2026-11-22 --reason "the disk has been replaced"'],
    done: 'it is open: its job is made anew, or whoever elects next leads it',
    notNow: 'it is completed, runs, is not there, or its job was removed',
    run: async (client, system, round, { reason }) =>
      retried(await client.retry(system, round, given({ reason }))),
  },
]

/** `gone elect`, `elected`, `complete`, `completed`, `fail`, `renew`, `cancel` and `retry`: the SDK for shells. */
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
  addAskOptions(command)
    .addHelpText('after', helpText(examples, [rest.done, rest.notNow]))
    .action((system: string, round: string, chosen: Options) => run(rest, system, round, chosen))
}

function run(
  command: Pick<RoundCommand, 'run'>,
  system: string,
  round: string,
  options: Options,
): Promise<void> {
  return ask(options, async (client, { green, yellow }) => {
    const { isDone, line, json } = await command.run(client, system, round, options)
    return { isDone, text: (isDone ? green : yellow)(visible(line)), json }
  })
}

async function elect(
  client: GoneClient,
  system: string,
  round: string,
  { lease, deadline, wait, name = ownName() }: Options,
): Promise<Finding> {
  const election = await client.elect(system, round, { name, ...given({ lease, deadline, wait }) })
  const { leads, leader, fence, state } = election
  if (leads) return { isDone: true, line: `leader (fence ${fence})`, json: election }
  const isOver = state === 'completed' || state === 'failed'
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

/** What has become of a round, in words. */
export function endOf(found: RoundJson | undefined): string {
  if (found === undefined) return 'nobody has led it'
  if (found.leader === undefined) {
    const nobody = found.job ? 'no worker has started it' : 'open again, nobody leads it'
    return `${nobody}${found.state === 'overdue' ? ', overdue' : ''}`
  }
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

function cancelled(answer: Cancelled): Finding {
  if (answer.kind !== 'cancelled')
    return { isDone: false, line: `not cancelled: ${answer.detail}`, json: answer }
  return { isDone: true, line: endOf(answer.round), json: answer }
}

function retried(answer: Retried): Finding {
  if (answer.kind !== 'opened')
    return { isDone: false, line: `not opened again: ${answer.detail}`, json: answer }
  const { state, job } = answer.round
  return { isDone: true, line: `open again, ${job ? `${state} to ${job.worker}` : state}`, json: answer }
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
