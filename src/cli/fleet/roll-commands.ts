import type { Command } from 'commander'
import type { GoneClient } from '../../client/client.ts'
import { poolOf } from '../../core/fleet/instance.ts'
import type { PoolJson } from '../../core/fleet/pool-wire.ts'
import { GoneError } from '../../errors.ts'
import { pause } from '../../waiting.ts'
import { type Answer, type AskOptions, addAskOptions, given, helpText } from '../ask.ts'
import type { Colors } from '../terminal.ts'
import { type Asking, isMeant } from './asking.ts'
import { addSelecting, meantOf, type SelectingOptions } from './selecting.ts'

interface RollOptions extends AskOptions, Pick<SelectingOptions, (typeof FILTERS)[number]> {
  readonly release?: string
  readonly from?: string
  readonly reason?: string
  readonly detach?: boolean
  readonly all?: boolean
  readonly yes?: boolean
}

/** With whom it is done, and by whom. */
interface Told extends Pick<Asking, 'question'> {
  readonly client: GoneClient
  readonly colors: Colors
  readonly signal: AbortSignal
}

type Verb = 'deploy' | 'rollback'

/** `--release` says what is deployed. */
const FILTERS = ['worker', 'region', 'host', 'pool'] as const
const READ_EVERY_MS = 300

const EXAMPLES: Readonly<Record<Verb, readonly string[]>> = {
  deploy: [
    'gone fleet deploy mail --release 42',
    'gone fleet deploy mail --release 42 --detach',
    'gone fleet deploy --all --release 42 --yes',
  ],
  rollback: [
    'gone fleet rollback mail --from 42 --reason "too many bounces"',
    'gone fleet rollback --all --yes',
  ],
}

/** What pools run: another release of yours, or the one before. */
export function addRolls(fleet: Command, asking: Asking): void {
  addRoll(fleet, asking, 'deploy')
  addRoll(fleet, asking, 'rollback')
}

function addRoll(fleet: Command, asking: Asking, verb: Verb): void {
  const isDeploy = verb === 'deploy'
  const command = fleet
    .command(verb)
    .description(
      isDeploy
        ? 'have pools run another release of yours, one place after the other'
        : 'have pools run the release before, or call off the deploy that is on its way',
    )
    .argument('[pool]', 'its name, as gone fleet pools lists it; or filters select pools by their instances')
  if (isDeploy) command.requiredOption('--release <release>', 'a folder below the root that the hosts allow')
  else command.option('--from <release>', 'what is no good: a pool that has left it stays as it is')
  addSelecting(command, FILTERS)
    .option('--all', 'every pool')
    .option('--yes', 'do not ask whether the pools that are selected are meant')
    .option('--reason <text>', 'why, for whoever looks later')
    .option('--detach', 'do not wait for its end')
  addAskOptions(command)
    .addHelpText(
      'after',
      helpText(EXAMPLES[verb], [
        'all places run it; with --detach: it has begun',
        isDeploy ? 'it was rolled back: an instance of it did not come up' : 'it could not be done',
      ]),
    )
    .action((name: string | undefined, options: RollOptions) =>
      asking.ask(options, (client, colors, signal) =>
        rollAll({ client, colors, signal, question: asking.question }, verb, name, options),
      ),
    )
}

async function rollAll(
  told: Told,
  verb: Verb,
  name: string | undefined,
  options: RollOptions,
): Promise<Answer> {
  const { poolTable, poolText } = await import('./pool-tables.ts')
  const { client, colors, question } = told
  if (name !== undefined) {
    const { isDone, pool } = await roll(told, name, await client.fleet.pools.get(name), options)
    return { isDone, text: poolText(pool, colors), json: pool }
  }
  const pools = await poolsMeant(client, options)
  const what = `${verb} ${pools.map((pool) => pool.name).join(', ')}`
  if (!options.yes && !(await isMeant(poolTable(pools, colors), what, question)))
    return { isDone: false, text: colors.yellow('nothing was done'), json: null }
  const rolled: PoolJson[] = []
  let isDone = true
  // One after the other: what is no good in one is not begun in the next.
  for (const one of pools) {
    const end = await roll(told, one.name, one, options)
    rolled.push(end.pool)
    isDone = end.isDone
    if (!isDone) break
  }
  const left = pools.slice(rolled.length).map((pool) => pool.name)
  const notBegun = left.length === 0 ? '' : `\nnot begun: ${left.join(', ')}`
  return { isDone, text: `${poolTable(rolled, colors)}${notBegun}`, json: rolled }
}

/**
 * The pools whose instances are selected.
 *
 * @throws GoneError where none is, or only some of a pool's instances are: a release is of a whole pool
 */
async function poolsMeant({ fleet }: GoneClient, options: RollOptions): Promise<readonly PoolJson[]> {
  const { worker, region, host, pool } = options
  const selection = meantOf({ ...given({ worker, region, host, pool, all: options.all }) })
  const { pools } = await fleet.pools.list()
  if (selection === 'all') return pools
  const [all, selected] = await Promise.all([fleet.instances({ pool: '*' }), fleet.instances(selection)])
  const names = new Set(selected.flatMap((one) => poolOf(one) ?? []))
  for (const name of names) {
    const [some, whole] = [selected, all].map((list) => list.filter((one) => poolOf(one) === name).length)
    if (some !== whole)
      throw new GoneError(
        'INVALID_PARAMETER',
        `${name}: ${some} of its ${whole} instances are selected; expected all or none, because a release is of a whole pool`,
      )
  }
  if (names.size > 0) return pools.filter(({ name }) => names.has(name))
  throw new GoneError('EMPTY_SELECTION', 'expected filters that select instances of a pool, got none of any')
}

/** @param before as it was when it was looked at: a release that it has left by the time that this is told is not rolled back again */
async function roll(
  { client, signal }: Told,
  name: string,
  before: PoolJson | undefined,
  { release, from = before?.release, reason, detach = false }: RollOptions,
): Promise<{ readonly isDone: boolean; readonly pool: PoolJson }> {
  const { pools } = client.fleet
  const why = given({ reason })
  let pool = await (release === undefined
    ? pools.rollBack(name, given({ reason, from }))
    : pools.deploy(name, release, why))
  while (!detach && !signal.aborted && isUnderway(pool)) {
    await pause(READ_EVERY_MS, signal)
    pool = (await pools.get(name)) ?? pool
  }
  const { state = 'done' } = pool.rollout ?? {}
  // Of a rollback it does not matter who has begun it, or how it is called; of one between workers of one release the release stays.
  const isBack = pool.release !== from || state === 'rolled-back'
  const isDone = release === undefined ? !isUnderway(pool) && isBack : state === 'done'
  return { isDone: detach || isDone, pool }
}

function isUnderway({ rollout }: PoolJson): boolean {
  return rollout?.state === 'rolling' || rollout?.state === 'rolling-back'
}
