import type { Command } from 'commander'
import { ASKED_ONCE } from './asking.ts'
import { addConfig } from './config.ts'
import { addListen } from './listen.ts'
import { addLog } from './log.ts'
import { addMark } from './mark.ts'
import { addOrderCommands } from './order-commands.ts'
import { addPools } from './pool-commands.ts'
import { addQueries } from './queries.ts'
import { addRolls } from './roll-commands.ts'
import { addShell } from './shell.ts'
import { addTop } from './top.ts'

/** `gone fleet ...`: what runs workers, and what it is told. */
export function addFleet(program: Command): void {
  const fleet = program
    .command('fleet')
    .description('see what runs workers, and tell it what to do')
    .addHelpText(
      'after',
      `
Examples:
  $ gone fleet topology
  $ gone fleet instances --worker mailer --state registered
  $ gone fleet unregister --host eu-a --reason "new disk"
  $ gone fleet log --worker mailer --text timeout
  $ gone fleet orders
  $ gone fleet apply fleet.yaml --dry-run
  $ gone fleet deploy mail --release 42
  $ gone fleet shell

Exit codes:
  0  done
  1  refused, not obeyed everywhere, or none found
  2  could not tell: bad usage, or no answer from the server`,
    )
  addQueries(fleet, ASKED_ONCE)
  addListen(fleet)
  addLog(fleet)
  addTop(fleet)
  addOrderCommands(fleet, ASKED_ONCE)
  addPools(fleet, ASKED_ONCE)
  addRolls(fleet, ASKED_ONCE)
  addConfig(fleet, ASKED_ONCE)
  addMark(fleet, ASKED_ONCE)
  addShell(fleet)
}
