import { type Command, Option } from 'commander'
import { given } from './ask.ts'

/** When rounds come: of a schedule, or as expected. */
export interface TimetableOptions {
  readonly cron?: string
  readonly every?: string
  readonly tz?: string
  readonly dstGap?: string
  readonly dstOverlap?: string
}

export function addTimetable(command: Command): Command {
  return command
    .option('--cron <expression>', 'when: 5 or 6 fields, or @hourly and such; quoted')
    .option('--every <duration>', 'when: each 15m, 1h, 1d ..., in place of --cron')
    .option('--tz <zone>', 'the time zone that is meant, such as Europe/Berlin (default: UTC)')
    .addOption(
      new Option('--dst-gap <policy>', 'times that clocks skip (default: run-after)').choices([
        'skip',
        'run-after',
      ]),
    )
    .addOption(
      new Option('--dst-overlap <policy>', 'times that clocks bring twice (default: first)').choices([
        'first',
        'second',
        'both',
      ]),
    )
}

/** The members of a body. */
export function timetableOf({ cron, every, tz, dstGap, dstOverlap }: TimetableOptions) {
  return { cron, every, tz, dst: some({ gap: dstGap, overlap: dstOverlap }) }
}

/** What was given, if anything was. */
export function some(members: object): object | undefined {
  const known = given(members)
  return Object.keys(known).length === 0 ? undefined : known
}
