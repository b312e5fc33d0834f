import { type Command, Option } from 'commander'
import type { ScheduleOptions } from '../../client/schedule-body.ts'
import { type AskOptions, addAskOptions, ask, given, helpText } from '../ask.ts'
import { backoff, json, whole } from '../option-values.ts'
import { nextText } from '../text/words.ts'
import { addTimetable, some, type TimetableOptions, timetableOf } from '../timetable-options.ts'

interface SetOptions extends AskOptions, TimetableOptions {
  readonly at?: string
  readonly startAt?: string
  readonly endAt?: string
  readonly jitter?: string
  readonly catchUp?: string
  readonly catchUpMax?: number
  readonly overlap?: string
  readonly grace?: string
  readonly worker?: string
  readonly data?: unknown
  readonly attempts?: number
  readonly backoff?: object
  readonly jobTimeout?: string
  readonly priority?: number
  readonly deadline?: string
  readonly ifExecutorDies?: string
  readonly region?: string
}

const EXAMPLES = [
  'gone schedule set cleaner nightly --cron "0 2 * * *" --tz Europe/Berlin --worker hello',
  'gone schedule set cleaner sweep --every 15m --worker hello --overlap skip --grace 5m',
  'gone schedule set cleaner once --at 2027-01-01T08:00:00Z --worker hello --data \'{"a":1}\'',
]

/** `gone schedule set`: makes a schedule, or makes it another. */
export function addSet(schedule: Command): void {
  const command = schedule
    .command('set')
    .description('make a schedule, or replace it: what is left out has its default')
    .argument('<system>', 'the system that its rounds belong to')
    .argument('<name>', 'the name of the schedule; its rounds are <name>@<time>')
  addTimes(command)
  addTerms(command)
  addJob(command)
  addAskOptions(command)
    .addHelpText('after', helpText(EXAMPLES, ['it is as asked for']))
    .action(set)
}

function addTimes(command: Command): void {
  addTimetable(command)
    .option('--at <time>', 'when: once, such as 2027-01-01T08:00:00Z, in place of --cron')
    .option('--start-at <time>', 'nothing is due before')
    .option('--end-at <time>', 'nothing is due after')
}

function addTerms(command: Command): void {
  command
    .option('--jitter <duration>', 'delay each job by up to so much')
    .option('--catch-up <duration>', 'run what an outage made late by up to so much (default: 1h)')
    .addOption(
      new Option('--catch-up-max <number>', 'and at most so many, the newest (default: 10)').argParser(whole),
    )
    .addOption(
      new Option('--overlap <policy>', 'while the one before is not finished (default: allow)').choices([
        'allow',
        'skip',
        'queue',
        'cancel-previous',
      ]),
    )
    .option('--grace <duration>', 'alert where a round has not come so long after its time')
}

function addJob(command: Command): void {
  command
    .option('--worker <name>', "the worker that runs the rounds (default: the system's name)")
    .addOption(new Option('--data <json>', 'what the worker is given').argParser(json))
    .addOption(new Option('--attempts <number>', 'how often a round is tried').argParser(whole))
    .addOption(
      new Option('--backoff <type:delay>', 'what a new attempt waits: fixed:10s or exponential:1s').argParser(
        backoff,
      ),
    )
    .option('--job-timeout <duration>', 'how long an attempt may take')
    .addOption(new Option('--priority <number>', '1 goes first').argParser(whole))
    .option('--deadline <duration>', 'when a round that has not ended turns red')
    .addOption(
      new Option('--if-executor-dies <policy>', 'whether its job is started again (default: rerun)').choices([
        'rerun',
        'fail',
      ]),
    )
    .option('--region <region>', 'where rounds are run while an instance of the worker takes jobs there')
}

function set(system: string, name: string, options: SetOptions): Promise<void> {
  return ask(options, async ({ schedules }, colors) => {
    const { changeText, memberChanges } = await import('../text/members.ts')
    // The server checks it, also that there is one of cron, every and at.
    const wanted = scheduleOf(options) as unknown as ScheduleOptions
    const before = await schedules.get(system, name)
    const { isNew, schedule } = await schedules.put(system, name, wanted)
    const changes = before === undefined ? [] : memberChanges(before, schedule)
    const verb = isNew ? 'made' : changes.length > 0 ? 'changed' : 'unchanged:'
    const first = `${colors.green(`${verb} ${system}/${name}`)}, ${nextText(schedule, colors)}`
    return {
      isDone: true,
      text: [first, ...changes.map((change) => `  ${changeText(change)}`)].join('\n'),
      json: schedule,
    }
  })
}

function scheduleOf(options: SetOptions): object {
  const { at, startAt, endAt, jitter, catchUp, catchUpMax, overlap } = options
  const { grace, worker, data, attempts, backoff: pause, jobTimeout, priority, deadline } = options
  const { ifExecutorDies, region } = options
  return given({
    ...{ ...timetableOf(options), at, startAt, endAt, jitter, overlap },
    catchUp: some({ window: catchUp, max: catchUpMax }),
    expect: some({ grace }),
    job: some({
      ...{ worker, data, attempts, backoff: pause, timeout: jobTimeout, priority, deadline },
      ...{ ifExecutorDies, region },
    }),
  })
}
