import type { DeathJson, InstanceJson, OrderJson, TopologyJson } from '../../core/fleet/fleet-wire.ts'
import type { InstanceState } from '../../core/fleet/instance.ts'
import { PRESSURE_TEXTS } from '../../core/fleet/pressure.ts'
import { visible } from '../../core/printable.ts'
import { formatDuration } from '../../core/time/duration.ts'
import type { Colors } from '../terminal.ts'
import { detailsOf, tableOf, widthsWithin } from '../text/table.ts'

const MIB = 1_048_576

function stateText(state: InstanceState, { green, yellow, red, dim }: Colors): string {
  if (state === 'registered') return green(state)
  if (state === 'lost' || state === 'stuck' || state === 'crash-looping' || state === 'died')
    return red(state)
  return state === 'ended' ? dim(state) : yellow(state)
}

const INSTANCE_TITLES = ['id', 'worker', 'state', 'runs', 'done', 'fail', 'cpu', 'mem', 'host', 'release']

/** A line for each instance; it fits 80 columns where names are not too long. */
export function instanceTable(
  instances: readonly InstanceJson[],
  colors: Colors,
  columns = Number.POSITIVE_INFINITY,
): string {
  const rows = instances.map((instance) => {
    const { id, workers, state, cpuPercent, rssBytes, host, release } = instance
    const sum = (numbers: readonly number[]) => numbers.reduce((left, right) => left + right, 0)
    return [
      id,
      workers.map(({ name }) => name).join(','),
      stateText(state, colors),
      `${sum(workers.map(({ running }) => running))}/${sum(workers.map(({ slots }) => slots))}`,
      String(sum(workers.map(({ done }) => done))),
      String(sum(workers.map(({ failed }) => failed))),
      cpuPercent === undefined ? '' : `${Math.round(cpuPercent)}%`,
      rssBytes === undefined ? '' : `${Math.round(rssBytes / MIB)}M`,
      host,
      release,
    ]
  })
  const widths = widthsWithin(
    columns,
    [INSTANCE_TITLES, ...rows],
    [
      { index: 1, min: 8 },
      { index: 8, min: 6 },
      { index: 9, min: 4 },
    ],
  )
  return tableOf(INSTANCE_TITLES, rows, { colors, widths })
}

/** Regions and their hosts, then workers. */
export function topologyText({ regions, workers }: TopologyJson, colors: Colors): string {
  const places = regions.flatMap((region) => [
    region,
    ...region.hosts.map((host) => ({ ...host, name: `  ${host.name}` })),
  ])
  return `${countTable('region, host', places, colors)}\n\n${countTable('worker', workers, colors)}`
}

/** How many instances there are of something. */
export function countTable(
  title: string,
  counts: readonly TopologyJson['workers'][number][],
  colors: Colors,
): string {
  const rows = counts.map(({ name, instances, running, slots, states }) => [
    name,
    String(instances),
    `${running}/${slots}`,
    Object.entries(states)
      .map(([state, count]) => `${count} ${state}`)
      .join(', '),
  ])
  return tableOf([title, 'instances', 'runs', 'states'], rows, { colors })
}

/** All that is known of one instance. */
export function instanceText(instance: InstanceJson, colors: Colors): string {
  const { id, state, workers, region, host, pid, release, version, startedAt } = instance
  const { cpuPercent, rssBytes, loopDelayMs, endedAt, stuckSince, pressure } = instance
  return detailsOf(
    id,
    [
      [
        'state',
        `${stateText(state, colors)}${endedAt ? ` at ${endedAt}` : ''}${stuckSince ? ` since ${stuckSince}` : ''}`,
      ],
      ...(pressure
        ? [['pressure', `${PRESSURE_TEXTS[pressure]}: it takes no jobs until that is over`] as const]
        : []),
      ['host', `${host} (${region}), process ${pid}`],
      ['release', `${release}, gone ${version}`],
      ['started', startedAt],
      ...(rssBytes === undefined
        ? []
        : [
            [
              'uses',
              `${cpuPercent}% of a core, ${Math.round(rssBytes / MIB)} MiB, loop late by ${loopDelayMs} ms`,
            ] as const,
          ]),
      ...workers.map(
        ({ name, slots, running, done, failed, lastTaken }) =>
          [
            name,
            `runs ${running} of ${slots}; done ${done}, failed ${failed}; last job ${lastTaken === undefined ? 'never' : `at ${lastTaken}`}`,
          ] as const,
      ),
    ],
    colors,
  )
}

/** How an instance died, and what became of what it ran. */
export function deathText(
  { detail, exitCode, signal, cause, livedMs, lines, memory, jobs }: DeathJson,
  states: readonly string[],
  colors: Colors,
): string {
  const exit = signal ?? (exitCode === undefined ? 'none' : `exit code ${exitCode}`)
  const mib = memory.map(({ rssBytes }) => Math.round(rssBytes / MIB))
  const ran = jobs.map(
    ({ worker, system, round }, index) =>
      ['ran', `${visible(`${system}/${round}`)} (${worker}), handed back; now ${states[index]}`] as const,
  )
  const rows = [
    ['end', `${exit} (${cause}), after ${formatDuration(Math.round(livedMs / 1_000) * 1_000)}`] as const,
    ['why', visible(detail)] as const,
    ...(mib.length === 0 ? [] : [['memory', `${mib.join(' ')} MiB, every 5 s`] as const]),
    ...(ran.length === 0 ? [['ran', 'nothing that had to be handed back'] as const] : ran),
  ]
  const said = lines.map((line) => `  ${visible(line)}`).join('\n')
  return `${detailsOf('death', rows, colors)}${said === '' ? '' : `\n\n${colors.bold('printed last')}\n${said}`}`
}

/** One order: what, by whom, and how it goes. */
export function orderText(order: OrderJson, colors: Colors): string {
  const { id, instances, actor, reason, selection, givenAt, until } = order
  return detailsOf(
    `${id}  ${whatText(order)}`,
    [
      ['for', selection],
      ['by', visible(`${actor}${reason === '' ? '' : `: ${reason}`}`)],
      ['given', `${givenAt}, until ${until}`],
      ...instances.map(
        ({ id, outcome, detail }) =>
          [id, `${outcomeText(outcome, colors)}${detail ? `: ${visible(detail)}` : ''}`] as const,
      ),
    ],
    colors,
  )
}

/** A line for each order. */
export function orderTable(
  orders: readonly OrderJson[],
  colors: Colors,
  columns = Number.POSITIVE_INFINITY,
): string {
  const rows = orders.map((order) => [
    order.id,
    whatText(order),
    order.selection,
    Object.entries(order.outcomes)
      .map(([outcome, count]) => `${count} ${outcome}`)
      .join(', '),
    order.actor,
  ])
  const titles = ['order', 'do', 'for', 'outcome', 'by']
  const widths = widthsWithin(
    columns,
    [titles, ...rows],
    [
      { index: 2, min: 12 },
      { index: 4, min: 8 },
    ],
  )
  return tableOf(titles, rows, { colors, widths })
}

function whatText({ do: verb, slots, worker }: OrderJson): string {
  return slots === undefined ? verb : `${verb} ${slots}${worker === undefined ? '' : ` of ${worker}`}`
}

function outcomeText(outcome: string, { green, yellow, red }: Colors): string {
  if (outcome === 'done') return green(outcome)
  return outcome === 'failed' || outcome === 'expired' ? red(outcome) : yellow(outcome)
}
