import { type Command, Option } from 'commander'
import type { GoneClient } from '../../client/client.ts'
import type { OrderJson } from '../../core/fleet/fleet-wire.ts'
import type { OrderVerb } from '../../core/fleet/order.ts'
import { pause } from '../../waiting.ts'
import { type Answer, type AskOptions, addAskOptions, given, helpText } from '../ask.ts'
import { whole } from '../option-values.ts'
import { type Colors, columnsOf } from '../terminal.ts'
import { type Asking, isMeant } from './asking.ts'
import { addSelecting, meantOf, type SelectingOptions } from './selecting.ts'

/** By whom and where an order is given. */
interface Told extends Pick<Asking, 'question'> {
  readonly client: GoneClient
  readonly colors: Colors
  readonly signal: AbortSignal
}

interface OrderCommandOptions extends AskOptions, SelectingOptions {
  readonly all?: boolean
  readonly yes?: boolean
  readonly dryRun?: boolean
  readonly atOnce?: boolean
  readonly reason?: string
  readonly within?: string
  readonly of?: string
}

const ABOUT: Readonly<Record<OrderVerb, string>> = {
  register: 'have instances take jobs',
  unregister: 'have instances take no more jobs; those they run go on',
  concurrency: 'have instances run more or fewer jobs at once',
  restart: 'have instances end when their jobs have, to be started again by what started them (exit code 75)',
  stop: 'have instances end when their jobs have; a supervisor starts no other there until it is told to',
  start: 'have the places of supervisors start instances that were stopped, or that crashed again and again',
}
const LOOK_EVERY_MS = 200
/** Longer than the server takes to say that nobody obeyed. */
const PATIENCE_MS = 5_000

export function addOrderCommands(fleet: Command, asking: Asking): void {
  for (const [verb, about] of Object.entries(ABOUT)) addVerb(fleet, asking, verb as OrderVerb, about)
  addDrain(fleet, asking)
  addOrders(fleet, asking)
}

/** A stop of all that runs on a host, told as what it is for. */
function addDrain(fleet: Command, asking: Asking): void {
  const command = fleet
    .command('drain')
    .description(
      'stop all instances on a host, so that it may be switched off; gone fleet start has them back',
    )
    .argument('<host>', 'its label, as gone fleet hosts lists it')
    .option('--yes', 'do not ask whether that is meant')
    .option('--dry-run', 'only show whom it would reach')
    .option('--at-once', 'even where less than half of a worker would be left')
    .option('--reason <text>', 'why, for whoever looks later')
    .addOption(new Option('--within <duration>', 'it is obeyed by then or never').default('60s'))
  addAskOptions(command)
    .addHelpText(
      'after',
      helpText(
        ['gone fleet drain eu-a', 'gone fleet drain eu-a --yes --at-once --reason "new disk"'],
        ['nothing runs there any more', 'refused, or something still runs there'],
      ),
    )
    .action((host: string, options: OrderCommandOptions) =>
      asking.ask(options, async (client, colors, signal) => {
        const told = { client, colors, signal, question: asking.question }
        const answer = await order(told, 'stop', undefined, { ...options, host })
        if (!answer.isDone || options.dryRun) return answer
        const left = (await client.fleet.instances({ host })).filter(({ state }) => state !== 'stopped')
        const text = left.length === 0 ? `${host} may be switched off` : `${left.length} still run on ${host}`
        return { ...answer, isDone: left.length === 0, text: `${answer.text}\n${text}` }
      }),
    )
}

function addVerb(fleet: Command, asking: Asking, verb: OrderVerb, about: string): void {
  const command = fleet.command(verb).description(about)
  if (verb === 'concurrency') command.argument('<slots>', 'how many jobs at once', whole)
  addSelecting(command)
    .option('--all', 'every instance there is')
    .option('--yes', 'do not ask whether that is meant')
    .option('--dry-run', 'only show whom it would reach')
    .option('--at-once', 'even where less than half of a worker would be left')
    .option('--reason <text>', 'why, for whoever looks later')
    .addOption(new Option('--within <duration>', 'it is obeyed by then or never').default('60s'))
  if (verb === 'concurrency')
    command.option('--of <worker>', 'of which worker, where an instance has several')
  const example =
    verb === 'concurrency' ? 'gone fleet concurrency 8 --worker mailer' : `gone fleet ${verb} --host eu-a`
  addAskOptions(command)
    .addHelpText(
      'after',
      helpText(
        [example, `${example} --dry-run`],
        ['done at all of them', 'refused, or not done at all of them'],
      ),
    )
    .action((...args: readonly unknown[]) => {
      const [slots, options] = (verb === 'concurrency' ? args : [undefined, ...args]) as [
        number | undefined,
        OrderCommandOptions,
      ]
      return asking.ask(options, (client, colors, signal) =>
        order({ client, colors, signal, question: asking.question }, verb, slots, options),
      )
    })
}

async function order(
  { client, colors, signal, question }: Told,
  verb: OrderVerb,
  slots: number | undefined,
  options: OrderCommandOptions,
): Promise<Answer> {
  const { instanceTable, orderText } = await import('./fleet-tables.ts')
  const select = meantOf(options)
  const instances = await client.fleet.plan(select)
  const table = instanceTable(instances, colors, columnsOf(process.stdout))
  const what = `${verb} ${instances.length} ${instances.length === 1 ? 'instance' : 'instances'}`
  if (options.dryRun) return { isDone: true, text: `${table}\nwould ${what}`, json: instances }
  if (!options.yes && !(await isMeant(table, what, question)))
    return { isDone: false, text: colors.yellow('nothing was done'), json: null }
  const { reason, within, atOnce, of } = options
  const given_ = given({ slots, reason, within, atOnce, worker: of })
  const shown = { count: instances.length, instances: instances.map(({ id }) => id) }
  const { id } = await client.fleet.order({ ...given_, do: verb, select, ...shown } as never)
  const ended = await untilSettled(client, id, verb, signal)
  const isDone = ended.instances.every(({ outcome }) => outcome === 'done')
  return { isDone, text: orderText(ended, colors), json: ended }
}

/** The order when each instance has obeyed or never will; or as it is, when that takes long. */
async function untilSettled(
  client: GoneClient,
  id: string,
  verb: OrderVerb,
  signal: AbortSignal,
): Promise<OrderJson> {
  for (;;) {
    const order = (await client.fleet.orderOf(id)) as OrderJson
    const isOpen = ({ outcome }: OrderJson['instances'][number]) =>
      outcome === 'waiting' || outcome === 'obeying'
    if (signal.aborted || !order.instances.some(isOpen)) return order
    const isLate = Date.now() > Date.parse(order.until) + PATIENCE_MS
    if (isLate && verb !== 'restart' && verb !== 'stop') return order
    await pause(LOOK_EVERY_MS, signal)
  }
}

function addOrders(fleet: Command, asking: Asking): void {
  const command = fleet
    .command('orders')
    .description('show what instances were told in the last 30 days, newest first')
    .argument('[id]', 'one order, with how it went at each instance')
    .addOption(new Option('--limit <number>', 'at most so many (default: 100)').argParser(whole))
  addAskOptions(command)
    .addHelpText(
      'after',
      helpText(
        ['gone fleet orders', 'gone fleet orders mif2x9-1a2b3c4d'],
        ['shown', 'there is no such order'],
      ),
    )
    .action((id: string | undefined, options: AskOptions & { limit?: number }) =>
      asking.ask(options, async (client, colors) => {
        const { orderTable, orderText } = await import('./fleet-tables.ts')
        if (id !== undefined) {
          const found = await client.fleet.orderOf(id)
          if (!found) return { isDone: false, text: colors.yellow(`${id}: no such order`), json: null }
          return { isDone: true, text: orderText(found, colors), json: found }
        }
        const orders = await client.fleet.orders(given({ limit: options.limit }))
        const text = orders.length === 0 ? 'no orders' : orderTable(orders, colors, columnsOf(process.stdout))
        return { isDone: true, text, json: orders }
      }),
    )
}
