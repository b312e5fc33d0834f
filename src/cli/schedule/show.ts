import { type Command, Option } from 'commander'
import type { GoneClient } from '../../client/client.ts'
import type { ListedScheduleJson } from '../../client/schedules.ts'
import type { RoundJson } from '../../core/rounds/round-wire.ts'
import type { NextSlotsJson, ScheduleJson } from '../../core/schedules/schedule-wire.ts'
import { eachAtOnce } from '../../waiting.ts'
import { type Answer, type AskOptions, addAskOptions, ask, given, helpText } from '../ask.ts'
import { whole } from '../option-values.ts'
import { type Colors, columnsOf } from '../terminal.ts'
import { addNamed, noSuchSchedule } from './ask-schedules.ts'

/** `gone schedule get`, `list` and `next`. */
export function addShow(schedule: Command): void {
  addNamed(schedule, {
    name: 'get',
    about: 'show a schedule: what was set, its next run, and how its latest ended',
    examples: ['gone schedule get cleaner nightly', 'gone schedule get cleaner nightly --json'],
    done: 'shown',
    async run(schedules, id, _, colors, client) {
      const found = await schedules.get(id.system, id.name)
      if (!found) return { isDone: false, text: colors.yellow(noSuchSchedule(id)), json: null }
      const { detailsText } = await import('./details.ts')
      const last = (await lastRuns(client, [found])).get(found)
      return { isDone: true, text: detailsText(found, colors, last), json: withState(found, last) }
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
    .description('show all schedules, their next runs, and how the latest ended')
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
      ask(options, async (client, colors): Promise<Answer> => {
        const { scheduleTable } = await import('./tables.ts')
        const all = await client.schedules.list(given({ system }))
        const lasts = await lastRuns(client, all)
        const none = system === undefined ? 'no schedules' : `${system} has no schedules`
        const text = all.length === 0 ? none : scheduleTable(all, colors, columnsOf(process.stdout), lasts)
        return { isDone: true, text, json: all.map((one) => withState(one, lasts.get(one))) }
      }),
    )
}

/** Of more schedules nobody looks at each. */
const MAX_LASTS = 200
const ASKED_AT_ONCE = 16

/** What became of the last run of each that has had one. Whoever may not read it is not told. */
async function lastRuns<Listed extends ListedScheduleJson>(
  client: GoneClient,
  schedules: readonly Listed[],
): Promise<ReadonlyMap<Listed, RoundJson>> {
  if (schedules.length > MAX_LASTS) return new Map()
  const found = await eachAtOnce(ASKED_AT_ONCE, schedules, async (schedule) => {
    const round = schedule.last && (await client.round(schedule.system, schedule.last.round))
    return round ? [[schedule, round] as const] : []
  })
  return new Map(found.flat())
}

function withState<Listed extends ListedScheduleJson>(
  schedule: Listed,
  round: RoundJson | undefined,
): Listed {
  if (schedule.last === null || round === undefined) return schedule
  return { ...schedule, last: { ...schedule.last, state: round.state } }
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
