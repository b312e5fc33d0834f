import type { Command } from 'commander'
import { addAlerts } from './alerts/alerts.ts'
import { addExpectation } from './alerts/expectation.ts'
import { bareProgram } from './bare-program.ts'
import { addCompletion } from './completion/completion.ts'
import { addDemo } from './demo.ts'
import { addDoctor } from './doctor/doctor.ts'
import { addFleet } from './fleet/fleet.ts'
import { addKey } from './key.ts'
import { addReady } from './ready.ts'
import { addCall } from './rounds/call.ts'
import { addOnce } from './rounds/once.ts'
import { addRoundCommands } from './rounds/round-commands.ts'
import { addRounds } from './rounds/rounds.ts'
import { addSubmit } from './rounds/submit.ts'
import { addSchedule } from './schedule/schedule.ts'
import { addServe } from './serve.ts'
import { addQueues } from './status/queues.ts'
import { addStatus } from './status/status.ts'
import { addWork } from './work.ts'

// A command in a crontab should start at once: what only the server needs is imported where it starts.

/** All that `gone` can be told. */
export function createProgram(): Command {
  const program = bareProgram().addHelpText(
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
  addSubmit(program)
  addCall(program)
  addRounds(program)
  addQueues(program)
  addSchedule(program)
  addExpectation(program)
  addAlerts(program)
  addStatus(program)
  addReady(program)
  addDoctor(program)
  addWork(program)
  addFleet(program)
  addKey(program)
  addCompletion(program)
  return program
}
