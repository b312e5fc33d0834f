import { type Command, Option } from 'commander'
import type { BackfillJson } from '../../core/schedules/schedule-wire.ts'
import { type AskOptions, given } from '../ask.ts'
import { whole } from '../option-values.ts'
import type { Colors } from '../terminal.ts'
import { nextText } from '../text/words.ts'
import { addNamed, noSuchSchedule } from './ask-schedules.ts'

interface BackfillCommandOptions extends AskOptions {
  readonly from: string
  readonly to: string
  readonly max?: number
}

/** `gone schedule pause`, `resume`, `trigger`, `backfill` and `remove`. */
export function addControl(schedule: Command): void {
  addNamed(schedule, {
    name: 'pause',
    about: 'let nothing come of a schedule until it is resumed; what falls into the pause is not run',
    examples: ['gone schedule pause cleaner nightly'],
    done: 'it is paused, now or before',
    async run(schedules, { system, name }, _, { green }) {
      const json = await schedules.pause(system, name)
      return { isDone: true, text: green(`paused ${system}/${name}`), json }
    },
  })
  addNamed(schedule, {
    name: 'resume',
    about: 'end the pause of a schedule',
    examples: ['gone schedule resume cleaner nightly'],
    done: 'it is not paused, now or before',
    async run(schedules, { system, name }, _, colors) {
      const json = await schedules.resume(system, name)
      return {
        isDone: true,
        text: `${colors.green(`resumed ${system}/${name}`)}, ${nextText(json, colors)}`,
        json,
      }
    },
  })
  addTrigger(schedule)
  addBackfill(schedule)
  addNamed(schedule, {
    name: 'remove',
    about: 'remove a schedule; rounds that were submitted stay',
    examples: ['gone schedule remove cleaner nightly'],
    done: 'removed',
    async run(schedules, { system, name }, _, { green, yellow }) {
      const isDone = await schedules.remove(system, name)
      const text = isDone ? green(`removed ${system}/${name}`) : yellow(noSuchSchedule({ system, name }))
      return { isDone, text, json: { removed: isDone } }
    },
  })
}

function addTrigger(schedule: Command): void {
  addNamed<AskOptions & { readonly id?: string }>(schedule, {
    name: 'trigger',
    about: 'run the job of a schedule now, beside its slots and also while it is paused',
    examples: [
      'gone schedule trigger cleaner nightly',
      'gone schedule trigger cleaner nightly --id after-deploy-42',
    ],
    done: 'submitted, now or by an earlier call with the same id',
    addOptions: (command) =>
      command.option('--id <name>', 'calls with the same one are one trigger (default: a new one)'),
    async run(schedules, { system, name }, { id }, { green }) {
      const json = await schedules.trigger(system, name, given({ id }))
      return { isDone: true, text: green(`submitted ${system} ${json.round}`), json }
    },
  })
}

function addBackfill(schedule: Command): void {
  addNamed<BackfillCommandOptions>(schedule, {
    name: 'backfill',
    about:
      'submit the slots of a time that has passed, oldest first; those whose rounds are kept still are not run again',
    examples: ['gone schedule backfill db nightly --from 2026-11-01T00:00:00Z --to 2026-11-08T00:00:00Z'],
    done: 'submitted, now or before',
    addOptions: (command) =>
      command
        .requiredOption('--from <time>', 'the first slot is due then or later; with its zone')
        .requiredOption('--to <time>', 'the last slot is due then or earlier')
        .addOption(
          new Option('--max <number>', 'at most so many slots, up to 1000 (default: 100)').argParser(whole),
        ),
    async run(schedules, { system, name }, { from, to, max }, colors) {
      const json = await schedules.backfill(system, name, { from, to, ...given({ max }) })
      return { isDone: true, text: backfillText(json, colors), json }
    },
  })
}

/** A line for each round, and how many they are. */
function backfillText({ rounds, next }: BackfillJson, { green, yellow, dim }: Colors): string {
  if (rounds.length === 0) return 'no slots between these times'
  const lines = rounds.map(({ round, isFirst }) =>
    isFirst ? `${green('+')} ${round}` : dim(`  ${round}: was submitted before`),
  )
  const submitted = rounds.filter(({ isFirst }) => isFirst).length
  const more = next === undefined ? [] : [yellow(`there are more slots: go on with --from ${next}`)]
  return [...lines, `${submitted} of ${rounds.length} submitted`, ...more].join('\n')
}
