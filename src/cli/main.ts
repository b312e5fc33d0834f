#!/usr/bin/env node
import { Command } from 'commander'
import { VERSION } from '../version.ts'
import { addAlerts } from './alerts.ts'
import { addDemo } from './demo.ts'
import { addExpectation } from './expectation.ts'
import { addKey } from './key.ts'
import { addOnce } from './once.ts'
import { addReady } from './ready.ts'
import { addRoundCommands } from './round-commands.ts'
import { addSchedule } from './schedule/schedule.ts'
import { addServe } from './serve.ts'
import { EXIT, exitWith } from './terminal.ts'
import { addWork } from './work.ts'

// A command in a crontab should start at once: what only the server needs is imported where it starts.

const program = new Command('gone')
  .description('Every replica fires, one runs.')
  .version(VERSION)
  .configureOutput({
    outputError: (text, write) =>
      write(
        `gone: ${text
          .replace(/^error: /, '')
          .trim()
          .replaceAll('\n', ' ')} (see --help)\n`,
      ),
  })
  .exitOverride((error) => process.exit(error.exitCode === 0 ? EXIT.done : EXIT.unknown))
  .addHelpText(
    'after',
    `
Examples:
  $ gone demo                                  see it work, nothing to set up
  $ gone serve                                 a server on http://127.0.0.1:8080
  $ gone once -s db -r 2026-11-22 -- ./backup.sh
  $ gone schedule set db nightly --cron "0 2 * * *" --worker shell
  $ gone elect db 2026-11-22 && ./backup.sh && gone complete db 2026-11-22

Exit codes of elect, elected, complete, completed, fail and renew:
  0  won, or done
  1  lost, not yet, or refused
  2  could not tell: bad usage, or no answer from the server`,
  )
addDemo(program)
addServe(program)
addOnce(program)
addRoundCommands(program)
addSchedule(program)
addExpectation(program)
addAlerts(program)
addReady(program)
addWork(program)
addKey(program)

try {
  await program.parseAsync()
} catch (error) {
  exitWith(error)
}
