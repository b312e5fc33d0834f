import type { ListedScheduleJson } from '../../client/schedules.ts'
import type { AlertJson } from '../../core/alerts/alert-wire.ts'
import type { TopologyJson } from '../../core/fleet/fleet-wire.ts'
import { visible } from '../../core/printable.ts'
import type { QueueJson } from '../../core/rounds/queue-wire.ts'
import type { TallyJson } from '../../core/rounds/round-wire.ts'
import type { StatusJson } from '../../core/status-wire.ts'
import type { Colors } from '../terminal.ts'
import { tableOf, widthsWithin } from '../text/table.ts'
import { utcTime } from '../text/times.ts'
import { hanging } from '../text/wrapped.ts'

/** Everything that the screen tells. */
export interface Whole extends StatusJson {
  readonly rounds: TallyJson
  readonly schedules: readonly ListedScheduleJson[]
  /** The open ones. */
  readonly alerts: readonly AlertJson[]
  readonly fleet: TopologyJson
  readonly queues: readonly QueueJson[]
}

const COLUMNS = 80
const NAME_WIDTH = 11
const MIB = 1_048_576
const MAX_NAMED = 5
const MAX_SERVERS = 20

/** What a person should look at, a line each; none where all is well. */
export function wrongsOf({ redis, servers, overdue, alerts, fleet }: Whole): readonly string[] {
  const versions = [...new Set(servers.map(({ version }) => version))]
  const { stuck = 0, lost = 0 } = fleet.states
  return [
    ...(redis.trouble === undefined ? [] : [`rounds cannot be decided: ${redis.trouble}`]),
    ...(redis.warning === undefined ? [] : [redis.warning]),
    ...(versions.length > 1 ? [`servers are of different versions: ${versions.join(', ')}`] : []),
    ...(overdue === 0 ? [] : [`${many(overdue, 'round is', 'rounds are')} overdue`]),
    ...(alerts.length === 0 ? [] : [`${many(alerts.length, 'alert is', 'alerts are')} open`]),
    ...(stuck === 0 ? [] : [`${many(stuck, 'instance is', 'instances are')} stuck`]),
    ...(lost === 0 ? [] : [`${many(lost, 'instance is', 'instances are')} lost`]),
  ]
}

/** One screen, in 80 columns. */
export function statusText(whole: Whole, wrong: readonly string[], colors: Colors): string {
  const rows: readonly (readonly [name: string, text: string])[] = [
    ['redis', redisText(whole)],
    ['rounds', roundsText(whole)],
    ['schedules', schedulesText(whole.schedules)],
    ['alerts', alertsText(whole.alerts)],
    ['workers', workersText(whole.fleet)],
    ['queues', queuesText(whole.queues)],
  ]
  const lines = rows.map(([name, text]) => `${colors.dim(name.padEnd(NAME_WIDTH))}${column(text)}`)
  const verdict =
    wrong.length === 0
      ? colors.green('all is well')
      : wrong.map((one) => `${colors.red('wrong'.padEnd(NAME_WIDTH))}${column(one)}`).join('\n')
  return [serverTable(whole, colors), '', ...lines, '', verdict].join('\n')
}

function column(text: string): string {
  return hanging(visible(text), NAME_WIDTH, COLUMNS)
}

function serverTable({ servers, now }: Whole, colors: Colors): string {
  const titles = ['server', 'gone', 'Node', 'listens at']
  const rows = servers
    .slice(0, MAX_SERVERS)
    .map(({ host, pid, version, node, url }) => [visible(`${host}:${pid}`), version, node, visible(url)])
  const widths = widthsWithin(
    COLUMNS,
    [titles, ...rows],
    [
      { index: 3, min: 20 },
      { index: 0, min: 16 },
    ],
  )
  const more = servers.length > MAX_SERVERS ? [`and ${servers.length - MAX_SERVERS} more`] : []
  const at = colors.dim(`${utcTime({ at: now })} UTC`)
  return [at, tableOf(titles, rows, { colors, widths }), ...more].join('\n')
}

function redisText({ redis }: Whole): string {
  const { ready, version = 'Redis', role, usedMemoryBytes, maxMemoryBytes = 0, hasAof } = redis
  const limit = maxMemoryBytes === 0 ? '' : ` of ${mib(maxMemoryBytes)}`
  return [
    ready ? 'ready' : 'not ready',
    version,
    ...(role === undefined || role === 'master' ? [] : [role]),
    ...(usedMemoryBytes === undefined ? [] : [`${mib(usedMemoryBytes)}${limit}`]),
    ...(hasAof === undefined ? [] : [hasAof ? 'with an AOF' : 'without an AOF']),
  ].join(', ')
}

function roundsText({ rounds: { counts, looked, hasMore }, overdue }: Whole): string {
  const { submitted, led, open, completed, failed } = counts
  const of = hasMore ? `; of the newest ${looked.entries}` : ''
  const waiting = submitted + open
  return `${led} led, ${waiting} waiting, ${overdue} overdue, ${completed} completed, ${failed} failed${of}`
}

function schedulesText(schedules: readonly ListedScheduleJson[]): string {
  if (schedules.length === 0) return 'none'
  const paused = schedules.filter((one) => one.paused).length
  const next = schedules
    .flatMap(({ system, name, next }) => (next === null ? [] : [{ name: `${system}/${name}`, at: next.at }]))
    .sort((one, other) => Date.parse(one.at) - Date.parse(other.at))[0]
  return [
    String(schedules.length),
    ...(paused === 0 ? [] : [`${paused} paused`]),
    ...(next === undefined ? [] : [`next ${next.name} at ${utcTime(next)} UTC`]),
  ].join(', ')
}

function alertsText(alerts: readonly AlertJson[]): string {
  if (alerts.length === 0) return 'none open'
  return listed(alerts.map(({ system, name, kind }) => `${system}/${name} ${kind}`))
}

function workersText({ instances, states, running, slots, workers }: TopologyJson): string {
  if (instances === 0) return 'none: gone work ./workers starts one'
  const counts = Object.entries(states).map(([state, count]) => `${count} ${state}`)
  const names = listed(workers.map(({ name }) => name))
  return `${many(instances, 'instance', 'instances')} (${counts.join(', ')}), ${running} of ${slots} jobs; ${names}`
}

function queuesText(queues: readonly QueueJson[]): string {
  const busy = queues
    .map(({ name, waiting, prioritized, active }) => ({ name, waits: waiting + prioritized, active }))
    .filter(({ waits, active }) => waits + active > 0)
    .sort((one, other) => other.waits - one.waits)
  if (busy.length === 0) return 'nothing waits'
  return listed(
    busy.map(({ name, waits, active }) => `${name} ${waits} waiting, ${active} running`),
    '; ',
  )
}

function listed(texts: readonly string[], between = ', '): string {
  const more = texts.length > MAX_NAMED ? [`${texts.length - MAX_NAMED} more`] : []
  return [...texts.slice(0, MAX_NAMED), ...more].join(between)
}

function many(count: number, one: string, more: string): string {
  return `${count} ${count === 1 ? one : more}`
}

function mib(bytes: number): string {
  return `${Math.round(bytes / MIB)} MiB`
}
