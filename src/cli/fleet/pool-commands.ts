import { readFile } from 'node:fs/promises'
import { text as textOf } from 'node:stream/consumers'
import type { Command } from 'commander'
import type { GoneClient } from '../../client/client.ts'
import { MOST_PLACES } from '../../core/fleet/pool.ts'
import { GoneError } from '../../errors.ts'
import { type Answer, type AskOptions, addAskOptions, given, helpText } from '../ask.ts'
import { between } from '../option-values.ts'
import type { Colors } from '../terminal.ts'
import { tableOf } from '../text/table.ts'
import type { Asking } from './asking.ts'
import type { PoolStep } from './pool-plan.ts'
import { poolTable, poolText } from './pool-tables.ts'

interface ApplyOptions extends AskOptions {
  readonly dryRun?: boolean
  readonly prune?: boolean
  readonly reason?: string
}

interface ScaleOptions extends AskOptions {
  readonly reason?: string
}

const FILE_HELP = `
The file is YAML (or JSON):

  pools:
    mail: { instances: 6, workers: [mailer], region: eu, release: "42" }
    reports: { instances: 2, host: "eu-*" }

Places go to supervisors that take some (gone work --pools) and may have these.
The whole file is checked before anything is changed. A release or workers that
differ are rolled out one place after the other, as by gone fleet deploy. Pools
that are not in the file are kept, or removed with --prune. Top-level members
whose names begin with "x-" are ignored, and hold anchors.`

/** Pools: how many instances of which workers there shall be, where, and what of yours they run. */
export function addPools(fleet: Command, asking: Asking): void {
  addList(fleet, asking)
  addApply(fleet, asking)
  addScale(fleet, asking)
}

function addList(fleet: Command, asking: Asking): void {
  const command = fleet
    .command('pools')
    .description('list pools with what works of them, and the supervisors that take their places')
    .argument('[name]', 'one pool, with its places')
  addAskOptions(command)
    .addHelpText(
      'after',
      helpText(['gone fleet pools', 'gone fleet pools mail'], ['shown', 'there is no such pool']),
    )
    .action((name: string | undefined, options: AskOptions) =>
      asking.ask(options, async (client, colors) => {
        if (name !== undefined) {
          const pool = await client.fleet.pools.get(name)
          if (!pool) return { isDone: false, text: colors.yellow(`${name}: no such pool`), json: null }
          return { isDone: true, text: poolText(pool, colors), json: pool }
        }
        const all = await client.fleet.pools.list()
        const pools = all.pools.length === 0 ? 'no pools' : poolTable(all.pools, colors)
        const hosts = all.supervisors.map(({ host, region, places, most, isLost, releases = [] }) => [
          host,
          region,
          `${places} of ${most}`,
          isLost ? colors.red('lost') : 'there',
          releases.slice(0, 5).join(' '),
        ])
        const table = tableOf(['host', 'region', 'places', 'state', 'releases'], hosts, { colors })
        return { isDone: true, text: hosts.length === 0 ? pools : `${pools}\n\n${table}`, json: all }
      }),
    )
}

function addApply(fleet: Command, asking: Asking): void {
  const command = fleet
    .command('apply')
    .description('make the pools what a file says, and show what that changes')
    .argument('<file>', 'YAML; - reads standard input')
    .option('--dry-run', 'change nothing, only show what would change')
    .option('--prune', 'remove pools that are not in the file')
    .option('--reason <text>', 'why, for whoever looks later')
  addAskOptions(command)
    .addHelpText(
      'after',
      `${FILE_HELP}\n${helpText(
        ['gone fleet apply fleet.yaml --dry-run', 'gone fleet apply fleet.yaml --prune'],
        [
          'the pools are as the file says; with --dry-run: they were already',
          'with --dry-run: something would change',
        ],
      )}`,
    )
    .action((file: string, options: ApplyOptions) =>
      asking.ask(options, (client, colors) => apply(client, file, options, colors)),
    )
}

function addScale(fleet: Command, asking: Asking): void {
  const command = fleet
    .command('scale')
    .description('have another number of instances of a pool, and all else as it is')
    .argument('<pool>', 'its name, as gone fleet pools lists it')
    .argument('<instances>', 'how many there shall be', between(0, MOST_PLACES))
    .option('--reason <text>', 'why, for whoever looks later')
  addAskOptions(command)
    .addHelpText(
      'after',
      helpText(
        ['gone fleet scale mail 8', 'gone fleet scale mail 0 --reason "no mail tonight"'],
        ['there shall be so many', 'there is no such pool, or somebody else changed it meanwhile'],
      ),
    )
    .action((name: string, instances: number, { reason, ...options }: ScaleOptions) =>
      asking.ask(options, async ({ fleet: { pools } }, colors) => {
        const before = await pools.get(name)
        if (!before) return { isDone: false, text: colors.yellow(`${name}: no such pool`), json: null }
        const { instances: count } = before
        const pool = await pools.scale(name, instances, { count, ...given({ reason }) })
        return { isDone: true, text: `${name}: ${count} -> ${pool.instances} instances`, json: pool }
      }),
    )
}

async function apply(
  client: GoneClient,
  path: string,
  { dryRun = false, prune = false, reason }: ApplyOptions,
  colors: Colors,
): Promise<Answer> {
  const [{ readFleetFile }, { poolPlan, poolStepText }, { summaryText }] = await Promise.all([
    import('./fleet-file.ts'),
    import('./pool-plan.ts'),
    import('../text/plan-summary.ts'),
  ])
  const wanted = readFleetFile(path === '-' ? 'stdin' : path, await textAt(path))
  const steps = poolPlan(wanted, (await client.fleet.pools.list()).pools, { prune })
  // One after the other, and none after an error: what is said then is what was done.
  for (const step of dryRun ? [] : steps) await take(client, step, reason)
  return {
    isDone: !dryRun || steps.every(({ kind }) => kind === 'kept'),
    text: [...steps.map((step) => poolStepText(step, colors)), summaryText(steps, { isDone: !dryRun })].join(
      '\n',
    ),
    json: { isDryRun: dryRun, steps },
  }
}

async function take({ fleet: { pools } }: GoneClient, step: PoolStep, reason?: string): Promise<void> {
  if (step.kind === 'removed') await pools.remove(step.name)
  if (step.kind === 'added' || step.kind === 'changed')
    await pools.put(step.name, step.spec, given({ reason }))
}

async function textAt(path: string): Promise<string> {
  if (path === '-') return textOf(process.stdin)
  return readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new GoneError('CONFIG', `${path}: cannot be read (${cause.code})`, { cause })
  })
}
