import { type Command, Option } from 'commander'
import type { ExpectationOptions } from '../../client/expectations.ts'
import { type Answer, type AskOptions, addAskOptions, ask, given, helpText } from '../ask.ts'
import { whole } from '../option-values.ts'
import { columnsOf } from '../terminal.ts'
import { addTimetable, type TimetableOptions, timetableOf } from '../timetable-options.ts'

interface SetOptions extends AskOptions, TimetableOptions {
  readonly grace: string
  readonly late?: string
  readonly replicas?: number
}

const NONE = 'there is no such expectation'

/** `gone expectation ...`: what rounds should come of systems that are elected from outside. */
export function addExpectation(program: Command): void {
  const expectation = program
    .command('expectation')
    .description('be told when rounds that are led from outside do not come: set, get, list, remove')
    .addHelpText(
      'after',
      `
A schedule expects its own rounds: gone schedule set ... --grace 5m.

Examples:
  $ gone expectation set report daily --cron "0 8 * * MON-FRI" --grace 5m --replicas 3
  $ gone expectation list
  $ gone alerts --state open

Exit codes:
  0  done
  1  ${NONE}
  2  could not tell: bad usage, or no answer from the server`,
    )
  addSet(expectation)
  addGet(expectation)
  addList(expectation)
  addRemove(expectation)
}

function addSet(expectation: Command): void {
  const command = named(
    expectation,
    'set',
    'make an expectation, or replace it: what is left out has its default',
  )
  addTimetable(command)
    .requiredOption('--grace <duration>', 'a round that comes so long after its time is missed')
    .option('--late <duration>', 'one that comes so long after it is late (default: the grace)')
    .addOption(
      new Option('--replicas <number>', 'how many candidates must ask (default: not counted)').argParser(
        whole,
      ),
    )
  addAskOptions(command)
    .addHelpText(
      'after',
      helpText(
        [
          'gone expectation set report daily --cron "0 8 * * *" --tz Europe/Berlin --grace 5m',
          'gone expectation set db hourly --every 1h --grace 10m --late 1m --replicas 3',
        ],
        ['it is as asked for'],
      ),
    )
    .action(set)
}

function set(system: string, name: string, options: SetOptions): Promise<void> {
  return ask(options, async ({ expectations }, { green }) => {
    const [{ changeText, memberChanges }, { termsText }] = await Promise.all([
      import('../text/members.ts'),
      import('./expectation-table.ts'),
    ])
    const { grace, late, replicas } = options
    // The server checks it, also that there is one of cron and every.
    const wanted = given({ ...timetableOf(options), grace, late, replicas }) as unknown as ExpectationOptions
    const before = await expectations.get(system, name)
    const { isNew, expectation } = await expectations.put(system, name, wanted)
    const changes = before === undefined ? [] : memberChanges(before, expectation)
    const verb = isNew ? 'made' : changes.length > 0 ? 'changed' : 'unchanged:'
    const first = `${green(`${verb} ${system}/${name}`)}, ${termsText(expectation)}`
    return {
      isDone: true,
      text: [first, ...changes.map((change) => `  ${changeText(change)}`)].join('\n'),
      json: expectation,
    }
  })
}

function addGet(expectation: Command): void {
  const command = named(expectation, 'get', 'show an expectation')
  addAskOptions(command)
    .addHelpText('after', helpText(['gone expectation get report daily --json'], ['shown', NONE]))
    .action((system: string, name: string, options: AskOptions) =>
      ask(options, async ({ expectations }, colors): Promise<Answer> => {
        const found = await expectations.get(system, name)
        if (!found) return { isDone: false, text: colors.yellow(`${system}/${name}: ${NONE}`), json: null }
        const { expectationText } = await import('./expectation-table.ts')
        return { isDone: true, text: expectationText(found, colors), json: found }
      }),
    )
}

function addList(expectation: Command): void {
  const command = expectation
    .command('list')
    .description('show all expectations, by system and name')
    .argument('[system]', 'only those of this system')
  addAskOptions(command)
    .addHelpText(
      'after',
      helpText(
        ['gone expectation list', 'gone expectation list report --json'],
        ['shown, also if there are none'],
      ),
    )
    .action((system: string | undefined, options: AskOptions) =>
      ask(options, async ({ expectations }, colors) => {
        const { expectationTable } = await import('./expectation-table.ts')
        const all = await expectations.list(given({ system }))
        const none = system === undefined ? 'no expectations' : `${system} has no expectations`
        const text = all.length === 0 ? none : expectationTable(all, colors, columnsOf(process.stdout))
        return { isDone: true, text, json: all }
      }),
    )
}

function addRemove(expectation: Command): void {
  const command = named(expectation, 'remove', 'expect it no more, and resolve its alerts')
  addAskOptions(command)
    .addHelpText('after', helpText(['gone expectation remove report daily'], ['removed', NONE]))
    .action((system: string, name: string, options: AskOptions) =>
      ask(options, async ({ expectations }, { green, yellow }) => {
        const isDone = await expectations.remove(system, name)
        const text = isDone ? green(`removed ${system}/${name}`) : yellow(`${system}/${name}: ${NONE}`)
        return { isDone, text, json: { removed: isDone } }
      }),
    )
}

function named(expectation: Command, name: string, about: string): Command {
  return expectation
    .command(name)
    .description(about)
    .argument('<system>', 'the system that is elected')
    .argument('<name>', "the expectation's name within it")
}
