import { WITHOUT_STORE } from '../core/fleet/supervised.ts'
import { GoneError } from '../errors.ts'
import { exitWhenRead } from '../process/exit.ts'
import { isFinal } from '../redis/trouble.ts'
import { runWorkers, type WorkersChosen, workSetup } from './run-workers.ts'
import { heedUnread, sayError } from './terminal.ts'
import { WORK_END } from './work-end.ts'

// The workers of `gone serve --work`: see WorkProcess, which starts it.

const chosen = JSON.parse(process.argv[2] ?? '{}') as WorkersChosen
// The server goes on where nobody reads what it prints, and so do they.
heedUnread(true)
try {
  await runWorkers(chosen, process.env, await workSetup(process.env), { endsWith: WORK_END })
} catch (error) {
  sayError(error)
  const isUnreachable = error instanceof GoneError && error.code === 'REDIS_NOT_FOUND'
  // What Redis refuses for good is no outage.
  await exitWhenRead(isUnreachable && !isFinal(error.cause) ? WITHOUT_STORE : WORK_END.unable)
}
