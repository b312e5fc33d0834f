import { type Command, Option } from 'commander'
import type { NextSlotsJson, ScheduleJson } from '../../core/schedule-wire.ts'
import { type Answer, type AskOptions, addAskOptions, ask, given, helpText } from '../ask.ts'
import { whole } from '../option-values.ts'
import { type Colors, columnsOf } from '../terminal.ts'
import { addNamed, noSuchSchedule } from './ask-schedules.ts'

/** `gone schedule get`, `list` and `next`. */
export function addShow(schedule: Command): void {
  addNamed(schedule, {
    name: 'get',
    about: 'show a schedule: what was set, its next run and its latest',
    examples: ['gone schedule get cleaner nightly', 'gone schedule get cleaner nightly --json'],
    done: 'shown',
    async run(schedules, id, _, colors) {
      const found = await schedules.get(id.system, id.name)
      if (!found) return { isDone: false, text: colors.yellow(noSuchSchedule(id)), json: null }
      const { detailsText } = await import('./details.ts')
      return { isDone: true, text: detailsText(found, colors), json: found }
    },
  })
  addList(schedule)
  addNamed<AskOptions & { readonly number?: number }>(schedule, {
    name: 'next',
    about: "show when the next rounds come, in the schedule's time and in UTC",
    examples: ['gone schedule next cleaner nightly', 'gone schedule next cleaner nightly -n 100 --json'],
    done: 'shown',
    addOptions: (command) =>
      command.addOption(new Option('-n, --number <number>', 'how many (default: 10)').argParser(whole)),
    async run(schedules, { system, name }, { number: n }, colors) {
      const [found, slots] = await Promise.all([
        schedules.get(system, name),
        schedules.next(system, name, given({ n })),
      ])
      return answerNext(found, slots, colors)
    },
  })
}

function addList(schedule: Command): void {
  const command = schedule
    .command('list')
    .description('show all schedules and their next runs, by system and name')
    .argument('[system]', 'only those of this system')
  addAskOptions(command)
    .addHelpText(
      'after',
      helpText(
        ['gone schedule list', 'gone schedule list cleaner --json'],
        ['shown, also if there are none'],
      ),
    )
    .action((system: string | undefined, options: AskOptions) =>
      ask(options, async ({ schedules }, colors): Promise<Answer> => {
        const { scheduleTable } = await import('./tables.ts')
        const all = await schedules.list(given({ system }))
        const none = system === undefined ? 'no schedules' : `${system} has no schedules`
        const text = all.length === 0 ? none : scheduleTable(all, colors, columnsOf(process.stdout))
        return { isDone: true, text, json: all }
      }),
    )
}

async function answerNext(
  found: ScheduleJson | undefined,
  next: NextSlotsJson,
  colors: Colors,
): Promise<Answer> {
  const { slotTable } = await import('./tables.ts')
  const isPaused = found?.paused === true
  const notes = [
    ...(next.slots.length === 0
      ? ['no more runs']
      : [slotTable(next.slots, colors, columnsOf(process.stdout))]),
    ...(isPaused ? [colors.yellow('paused: none of these comes before it is resumed')] : []),
  ]
  return { isDone: true, text: notes.join('\n'), json: next }
}
