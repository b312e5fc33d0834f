import type { Command } from 'commander'
import type { RoundJson } from '../../core/rounds/round-wire.ts'
import { type AskOptions, addAskOptions, helpText } from '../ask.ts'
import { columnsOf } from '../terminal.ts'
import type { Asking } from './asking.ts'
import { addSelecting, type SelectingOptions, selectionOf } from './selecting.ts'

type FleetOptions = AskOptions & SelectingOptions

/** What tells of the fleet, and changes nothing. */
export function addQueries(fleet: Command, asking: Asking): void {
  addTopology(fleet, asking)
  addInstances(fleet, asking)
  addCounts(fleet, asking)
  addShow(fleet, asking)
  addCheck(fleet, asking)
}

function addTopology(fleet: Command, asking: Asking): void {
  const command = fleet
    .command('topology', { isDefault: true })
    .description('count instances by region, host and worker')
  addAskOptions(addSelecting(command))
    .addHelpText(
      'after',
      helpText(['gone fleet', 'gone fleet topology --region eu --json'], ['shown, also if there are none']),
    )
    .action((options: FleetOptions) =>
      asking.ask(options, async (client, colors) => {
        const { topologyText } = await import('./fleet-tables.ts')
        const topology = await client.fleet.topology(selectionOf(options))
        const text = topology.instances === 0 ? NONE : topologyText(topology, colors)
        return { isDone: true, text, json: topology }
      }),
    )
}

const NONE = 'no instance: gone work ./workers starts one'

function addInstances(fleet: Command, asking: Asking): void {
  const command = fleet
    .command('instances')
    .description('list what runs workers: state, jobs, processor time, memory')
  addAskOptions(addSelecting(command))
    .addHelpText(
      'after',
      helpText(
        ['gone fleet instances', 'gone fleet instances --worker "mail*" --state stuck,lost'],
        ['shown, also if there are none'],
      ),
    )
    .action((options: FleetOptions) =>
      asking.ask(options, async (client, colors) => {
        const { instanceTable } = await import('./fleet-tables.ts')
        const instances = await client.fleet.instances(selectionOf(options))
        const text =
          instances.length === 0 ? NONE : instanceTable(instances, colors, columnsOf(process.stdout))
        return { isDone: true, text, json: instances }
      }),
    )
}

/** hosts, regions, workers, releases. */
function addCounts(fleet: Command, asking: Asking): void {
  for (const plural of ['regions', 'hosts', 'workers', 'releases'] as const) {
    const command = fleet.command(plural).description(`count instances by ${plural.slice(0, -1)}`)
    addAskOptions(addSelecting(command))
      .addHelpText('after', helpText([`gone fleet ${plural}`], ['shown, also if there are none']))
      .action((options: FleetOptions) =>
        asking.ask(options, async (client, colors) => {
          const { countTable } = await import('./fleet-tables.ts')
          const { regions, workers, releases } = await client.fleet.topology(selectionOf(options))
          const counts = { regions, workers, releases, hosts: regions.flatMap(({ hosts }) => hosts) }[plural]
          const text = counts.length === 0 ? NONE : countTable(plural.slice(0, -1), counts, colors)
          return { isDone: true, text, json: counts }
        }),
      )
  }
}

function addShow(fleet: Command, asking: Asking): void {
  const command = fleet
    .command('show')
    .description(
      'show one instance, and of one that died why, what it printed last and what became of its jobs',
    )
    .argument('<id>', 'its id')
  addAskOptions(command)
    .addHelpText(
      'after',
      helpText(
        ['gone fleet show k3v9x2'],
        ['shown', 'there is none, or it ended over an hour, or died over a day ago'],
      ),
    )
    .action((id: string, options: AskOptions) =>
      asking.ask(options, async (client, colors) => {
        const instance = await client.fleet.instance(id)
        if (!instance)
          return {
            isDone: false,
            text: colors.yellow(`${id}: no such instance, or it ended over an hour ago`),
            json: null,
          }
        const { deathText, instanceText } = await import('./fleet-tables.ts')
        const text = instanceText(instance, colors)
        const { death } = instance
        if (death === undefined) return { isDone: true, text, json: instance }
        const rounds = await Promise.all(death.jobs.map(({ system, round }) => client.round(system, round)))
        const states = rounds.map((round) => (round ? whereText(round) : 'not known any more'))
        return { isDone: true, text: `${text}\n${deathText(death, states, colors)}`, json: instance }
      }),
    )
}

function whereText(round: RoundJson): string {
  return 'leader' in round ? `${round.state}, under fence ${round.fence} at ${round.leader}` : round.state
}

const UNWELL: readonly string[] = ['stuck', 'lost', 'unresponsive', 'crash-looping']

function addCheck(fleet: Command, asking: Asking): void {
  const command = fleet
    .command('check')
    .description('for probes: is there an instance, and are all that are selected well?')
  addAskOptions(addSelecting(command))
    .addHelpText(
      'after',
      helpText(
        ['gone fleet check --host "$(hostname)"'],
        [
          'there is one, and none is stuck, lost, unresponsive or crash-looping',
          'there is none, or one is not well',
        ],
      ),
    )
    .action((options: FleetOptions) =>
      asking.ask(options, async (client, colors) => {
        const instances = await client.fleet.instances(selectionOf(options))
        const unwell = instances.filter(({ state }) => UNWELL.includes(state))
        const isDone = instances.length > 0 && unwell.length === 0
        const what = unwell.map(({ id, state }) => `${id} is ${state}`).join(', ')
        const text = instances.length === 0 ? 'no instance is selected' : what || `${instances.length} well`
        return {
          isDone,
          text: isDone ? text : colors.red(text),
          json: { instances: instances.length, unwell },
        }
      }),
    )
}
