import { readFileSync } from 'node:fs'
import { type Command, Option } from 'commander'
import type { SubmitOptions } from '../../client/submit.ts'
import { visible } from '../../core/printable.ts'
import { GoneError } from '../../errors.ts'
import { type AskOptions, addAskOptions, ask, given, helpText } from '../ask.ts'
import { backoff, json, whole } from '../option-values.ts'
import { endOf } from './round-commands.ts'

interface SubmitCommand extends AskOptions {
  readonly data?: unknown
  readonly dataFile?: string
  readonly attempts?: number
  readonly backoff?: NonNullable<SubmitOptions['backoff']>
  readonly jobTimeout?: string
  readonly delay?: string
  readonly at?: string
  readonly priority?: number
  readonly deadline?: string
  readonly ifExecutorDies?: 'rerun' | 'fail'
  readonly region?: string
}

const EXAMPLES = [
  `gone submit hello greeter 2026-11-22 --data '{"names":["Ada"]}' --wait 30s`,
  'gone submit hello greeter 2026-11-23 --data-file names.json --delay 5m',
  'cat names.json | gone submit hello greeter 2026-11-24 --data-file -',
]

/** `gone submit`: lets one worker run a round, and waits for its end where that is asked for. */
export function addSubmit(program: Command): void {
  const command = program
    .command('submit')
    .description('let one worker run a round, however many submit it')
    .argument('<worker>', 'the worker that runs it, which is its queue')
    .argument('<system>', 'the name that all replicas of a service share')
    .argument('<round>', 'the occurrence of the work; all replicas must compute the same')
    .addOption(new Option('--data <json>', 'what the worker is given').argParser(json))
    .addOption(new Option('--data-file <file>', 'the same from a file, or - for stdin').conflicts('data'))
    .addOption(new Option('--attempts <number>', 'how many attempts it has').argParser(whole))
    .addOption(
      new Option('--backoff <type:delay>', 'what a new attempt waits: fixed:10s or exponential:1s').argParser(
        backoff,
      ),
    )
    .option('--job-timeout <duration>', 'how long an attempt may take')
    .option('--delay <duration>', 'when it starts at the earliest, from now on')
    .addOption(
      new Option('--at <time>', 'the same as a time, such as 2027-01-01T08:00:00Z').conflicts('delay'),
    )
    .addOption(new Option('--priority <number>', '1 goes first').argParser(whole))
    .option('--deadline <duration>', 'when it turns red if it has not ended')
    .addOption(
      new Option('--if-executor-dies <policy>', 'whether it is started again (default: rerun)').choices([
        'rerun',
        'fail',
      ]),
    )
    .option('--region <region>', 'where it is run while an instance of the worker takes jobs there')
    .option('--wait <duration>', 'wait for its end')
  addAskOptions(command)
    .addHelpText(
      'after',
      helpText(EXAMPLES, [
        'it is submitted, by you or before; with --wait: it is completed',
        'with --wait: it has failed, or has not ended yet',
      ]),
    )
    .action(submit)
}

async function submit(worker: string, system: string, round: string, options: SubmitCommand): Promise<void> {
  await ask(options, async (client, { green, yellow }) => {
    const submitted = await client.submit(system, round, { worker, ...termsOf(options) })
    if (submitted.warning) note(`no worker serves ${worker} now: it waits until one does`)
    if (submitted.isConflict)
      note('it was submitted before, for another worker or with other data, which is kept')
    if (options.wait === undefined) {
      const text = submitted.isFirst ? `submitted to ${worker}` : `there before: ${endOf(submitted.round)}`
      return { isDone: true, text: green(visible(text)), json: submitted }
    }
    const end = await client.wait(system, round, { timeout: options.wait as `${number}s` })
    const isDone = end?.state === 'completed'
    const found = end ?? (await client.round(system, round))
    return { isDone, text: (isDone ? green : yellow)(visible(endOf(found))), json: found ?? null }
  })
}

function termsOf(options: SubmitCommand): SubmitOptions {
  const {
    attempts,
    backoff: pause,
    jobTimeout,
    delay,
    at,
    priority,
    deadline,
    ifExecutorDies,
    region,
  } = options
  const data = options.dataFile === undefined ? options.data : dataIn(options.dataFile)
  const terms = { data, attempts, backoff: pause, timeout: jobTimeout, delay, at, priority, deadline }
  return given({ ...terms, ifExecutorDies, region }) as SubmitOptions
}

/** @throws GoneError `INVALID_PARAMETER` that says what is wrong with the file */
export function dataIn(file: string): unknown {
  const name = file === '-' ? 'stdin' : file
  let text: string
  try {
    text = readFileSync(file === '-' ? 0 : file, 'utf8')
  } catch (error) {
    throw new GoneError('INVALID_PARAMETER', `--data-file: cannot read ${name}: ${(error as Error).message}`)
  }
  try {
    return json(text)
  } catch (error) {
    throw new GoneError('INVALID_PARAMETER', `--data-file: ${name}: ${(error as Error).message}`)
  }
}

/** For the person; what is read by programs is on stdout. */
function note(words: string): void {
  process.stderr.write(`${words}\n`)
}
