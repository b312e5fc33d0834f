import type { Command } from 'commander'
import { addApply } from './apply.ts'
import { addControl } from './control.ts'
import { addSet } from './set.ts'
import { addShow } from './show.ts'

/** `gone schedule ...`: what makes rounds come by themselves. */
export function addSchedule(program: Command): void {
  const schedule = program
    .command('schedule')
    .description('make rounds come by themselves: set, get, list, next, pause, trigger, apply ...')
    .addHelpText(
      'after',
      `
Examples:
  $ gone schedule set cleaner nightly --cron "0 2 * * *" --worker hello
  $ gone schedule list
  $ gone schedule next cleaner nightly
  $ gone schedule apply schedules.yaml --dry-run

Exit codes:
  0  done
  1  there is no such schedule; with apply --dry-run: something would change
  2  could not tell: bad usage, or no answer from the server`,
    )
  addSet(schedule)
  addShow(schedule)
  addControl(schedule)
  addApply(schedule)
}
