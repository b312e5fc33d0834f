import { ParentChannel } from '../app/siblings.ts'
import { GoneError } from '../errors.ts'
import type { RedisTarget } from '../redis/connections.ts'
import { EXIT, exitWith, heedUnread } from './terminal.ts'

/** What a parent starts a process of its server with. */
export interface ServedStart {
  /** Where the parent's own Redis is; missing: the settings say. */
  readonly redis?: RedisTarget
}

// One of the processes of `gone serve --processes`. Its parent starts it, has it end, and starts it again.

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

const { redis } = JSON.parse(process.argv[2] ?? '{}') as ServedStart
let isServing = false
let isTold = false
// A Ctrl-C in the terminal reaches all of a group: what its parent says then is no second signal.
for (const name of SIGNALS)
  process.once(name, () => {
    isTold = true
    if (!isServing) process.exit(EXIT.done)
  })
const parent = new ParentChannel(() => {
  if (!isTold) process.kill(process.pid, 'SIGTERM')
})
// Without its parent nobody reads what it prints.
heedUnread(true)

try {
  await serve()
} catch (error) {
  if (!(error instanceof GoneError)) await exitWith(error)
  else await parent.unable(error)
  process.exit(EXIT.unknown)
}

async function serve(): Promise<void> {
  const [{ startServer }, { readConfig }, { createLog }, { stopOnSignal }, { withSecretFiles }] =
    await Promise.all([
      import('../app/server.ts'),
      import('../config.ts'),
      import('../log.ts'),
      import('./stop-on-signal.ts'),
      import('../secrets.ts'),
    ])
  const config = readConfig(process.env)
  const log = createLog('gone', config, withSecretFiles(process.env))
  const server = await startServer(config, {
    env: process.env,
    log,
    say: (line) => void process.stderr.write(`${line}\n`),
    siblings: parent,
    ...(redis && { redis: { target: redis } }),
  })
  stopOnSignal({ graceMs: config.shutdownMs, log, message: 'stopping' }, () => server.stop())
  log.info({ url: server.url }, 'a process of the server serves')
  isServing = true
  await parent.serve(server.url)
}
