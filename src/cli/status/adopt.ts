import { hostname, userInfo } from 'node:os'
import type { Command } from 'commander'
import type { AdoptedQueue, OldQueue } from '../../app/old-jobs.ts'
import { visible } from '../../core/printable.ts'
import { helpText } from '../ask.ts'
import { EXIT, exitWith } from '../terminal.ts'

interface AdoptOptions {
  readonly redis?: string
  readonly dryRun?: boolean
  readonly json?: boolean
}

interface Found {
  readonly isDone: boolean
  readonly text: string
  readonly json: unknown
}

const SAY_EVERY_MS = 2_000
const IS_NO_CLUSTER = 'nothing to move: Redis is no Cluster, and queues are where they were'
const IS_EMPTY = 'nothing is left where older builds kept queues'

/** `gone queues adopt`: takes over jobs where older builds kept them in a Cluster. */
export function addAdopt(queues: Command): void {
  queues
    .command('adopt')
    .description('in a Cluster: move jobs from where older builds kept queues')
    .argument('[queues...]', 'looked at besides those that servers know')
    .option('--redis <url>', "the servers' Redis (REDIS_URL)")
    .option('--dry-run', 'show what there is, and move nothing')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nJobs keep ids, attempts, places and logs. What a worker of an older build runs\nstays until it has ended: stop those first. May be said again at any time, also\nafter it was cut off. Needs REDIS_URL, and not the server.\n' +
        helpText(
          ['gone queues adopt --dry-run', 'gone queues adopt'],
          ['nothing is left there', 'something is'],
          'could not tell: bad usage, or no answer from Redis',
        ),
    )
    .action((names: readonly string[], _: AdoptOptions, command: Command) =>
      adopt(names, command.optsWithGlobals<AdoptOptions>()),
    )
}

async function adopt(names: readonly string[], options: AdoptOptions): Promise<void> {
  try {
    const { isDone, text, json } = await found(names, options)
    process.stdout.write(`${options.json ? JSON.stringify(json) : text}\n`)
    process.exitCode = isDone ? EXIT.done : EXIT.notNow
  } catch (error) {
    await exitWith(error, options.json)
  }
}

async function found(names: readonly string[], { redis, dryRun = false }: AdoptOptions): Promise<Found> {
  const [{ withOldJobs }, { openAuditLog }, { readConfig }, { createLog }] = await Promise.all([
    import('../../app/old-jobs.ts'),
    import('../../app/audit-log.ts'),
    import('../../config.ts'),
    import('../../log.ts'),
  ])
  const config = readConfig({ ...process.env, ...(redis !== undefined && { REDIS_URL: redis }) })
  const log = createLog('gone-adopt', { ...config, logLevel: 'silent' }, process.env)
  // Before anything is changed: what cannot be written down is not done.
  const audit = config.auditLog === undefined ? undefined : await openAuditLog(config.auditLog, log)
  try {
    return await withOldJobs(config, { log, say }, async (old) => {
      if (!old.isCluster) return shown(IS_NO_CLUSTER, [])
      const there = await old.look(names)
      if (dryRun) return dryShown(there)
      const about = { command: 'gone queues adopt', user: userInfo().username, host: hostname() }
      if (there.length > 0) await audit?.write({ ...about, outcome: `moves jobs of ${there.length}` })
      const adopted = await old.adopt(there, progress(there))
      const outcome = `moved ${sumOf(adopted, ({ moved }) => moved)}`
      if (adopted.length > 0) audit?.note({ ...about, outcome })
      return shown(adopted.length === 0 ? IS_EMPTY : '', adopted)
    })
  } finally {
    await audit?.stop()
  }
}

/** Says how far it is, where it takes long. */
function progress(there: readonly OldQueue[]): (jobs: number) => void {
  const all = sumOf(there, ({ pending, active, ended }) => pending + active + ended)
  let [sum, saidMs] = [0, performance.now()]
  return (jobs) => {
    sum += jobs
    if (performance.now() - saidMs < SAY_EVERY_MS) return
    saidMs = performance.now()
    say(`moved ${sum} of ${all} jobs`)
  }
}

function dryShown(there: readonly OldQueue[]): Found {
  const lines = there.map(
    ({ name, pending, active, ended }) =>
      `${visible(name)}: ${pending} to be moved that wait, ${active} run by a worker of an older build or left by one, ${ended} ended`,
  )
  const queues = there.map((one) => ({ name: one.name, moved: 0, left: leftOf(one) }))
  return { isDone: there.length === 0, text: lines.join('\n') || IS_EMPTY, json: jsonOf(queues) }
}

function shown(text: string, adopted: readonly AdoptedQueue[]): Found {
  const isDone = adopted.every(({ left }) => totalOf(left) === 0)
  return { isDone, text: text || adopted.map(lineOf).join('\n'), json: jsonOf(adopted) }
}

function lineOf({ name, moved, left }: AdoptedQueue): string {
  const { active } = left
  const others = totalOf(left) - active
  const said = [
    `${moved} moved`,
    ...(active > 0
      ? [`${active} left that workers of an older build run: stop those, and say this again`]
      : []),
    ...(others > 0 ? [`${others} left that came meanwhile, or whose round is run now: say this again`] : []),
  ]
  return `${visible(name)}: ${said.join('; ')}`
}

function jsonOf(queues: readonly AdoptedQueue[]) {
  return {
    moved: sumOf(queues, ({ moved }) => moved),
    left: sumOf(queues, ({ left }) => totalOf(left)),
    queues,
  }
}

const leftOf = ({ pending, active, ended }: OldQueue) => ({ pending, active, ended })
const totalOf = ({ pending, active, ended }: AdoptedQueue['left']) => pending + active + ended

function sumOf<T>(all: readonly T[], count: (one: T) => number): number {
  return all.reduce((sum, one) => sum + count(one), 0)
}

function say(line: string): void {
  process.stderr.write(`${line}\n`)
}
