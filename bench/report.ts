import { cpus } from 'node:os'
import Table from 'cli-table3'
import colors from 'picocolors'
import type { Figure } from './figures.ts'
import { targetsOf } from './targets.ts'

const NAMES: Readonly<Record<Figure['name'], string>> = {
  winners: 'winners',
  rounds: 'rounds, elect and complete',
  board: 'board behind the last',
  losers: 'losers, round known',
  elected: 'elected, round known',
  unseen: 'losers, round not seen',
  idleCommands: 'idle servers, commands',
  idleProcessor: 'idle server, of a core',
  idleMemory: 'idle server, memory',
  race: 'race for one round',
  memoryLed: 'memory, led round',
  memory: 'memory, round and job',
  memoryWithoutJob: 'memory, job gone',
  aofWritten: 'AOF, round and job, as written',
  aofRewritten: 'AOF, the same written anew',
  jobs: 'jobs, gate and record',
  start: 'submit to start, idle',
  calls: 'calls over HTTP',
  givenUpStarted: 'calls given up, started then',
  'grown-elect': 'grown: elect',
  'grown-complete': 'grown: complete',
  'grown-lose': 'grown: lose, round known',
  'grown-elected': 'grown: elected, round known',
  'grown-submit': 'grown: submit',
  'grown-run': 'grown: jobs',
  'grown-list': 'grown: rounds, a page',
  'grown-metrics': 'grown: /metrics',
  grownMemory: 'grown: memory of the server',
  scheduleMake: 'schedules made over HTTP',
  scheduleRearm: 'restart sets all alarms',
  scheduleTick: 'slots of one instant',
  scheduleList: 'all schedules listed',
  scheduleLateness: 'lateness of slots, idle',
  scheduleMemory: 'memory of a schedule',
  fleetList: 'instances listed, HTTP',
  fleetCommand: 'instances counted, `gone fleet`',
  fleetStep: 'mean of our scripts, instances',
  fleetProcessor: 'Redis for instances, of a core',
  fleetMemory: 'memory of an instance',
  fleetAof: 'AOF of an instance, a second',
  fleetChange: 'change to listeners',
  fleetJobs: 'jobs beside instances',
  consoleByte: 'console, first byte',
  consoleData: 'console, first data',
  consoleSearch: 'console, all searched for a name',
  consoleElections: 'elections beside a search',
  consoleSlow: 'commands over 2 ms of the console',
  consoleViewers: 'console, viewers, of a core',
  consoleIdle: 'console, idle viewers, of a core',
  consoleChange: 'console, change to viewers',
  spreadWinners: 'winners, of processes',
  spreadLosers: 'losers, of processes',
  spreadMemory: 'memory, of processes',
  clusterCommands: 'commands of a node of three',
  clusterProcessor: 'processor time of a node of three',
  killedServers: 'servers killed',
  killedSlots: 'slots meanwhile, each run',
  killedLost: 'slots lost or not run',
  killedTwice: 'slots run twice',
  killedLateness: 'lateness of slots, killed',
  empty: 'limit: empty route',
  emptyRace: 'limit: empty, at once',
  set: 'limit: SET NX',
  add: 'limit: queue.add',
  bareJobs: 'limit: bare BullMQ jobs',
  bareStart: 'limit: bare, to start',
}

const HEAD = ['measured', 'at', 'figure', 'of limit', 'p50 ms', 'p99 ms', 'target', '']

/** A table that fits 100 columns. */
export function asTable(figures: readonly Figure[]): string {
  const right = 'right' as const
  const table = new Table({
    head: HEAD,
    colAligns: ['left', right, right, right, right, right, 'left', 'left'],
    chars: { ...NO_LINES, middle: '  ', mid: '─', 'mid-mid': '──' },
    style: { head: [], border: [], compact: true, 'padding-left': 0, 'padding-right': 0 },
  })
  for (const figure of inOrder(figures)) table.push(cellsOf(figure, paintVerdict))
  return `${machine()}\n\n${table.toString()}\n\n${NOTE}`
}

const NO_LINES = Object.fromEntries(
  ['top', 'bottom', 'left', 'right']
    .flatMap((side) => [side, `${side}-mid`, `${side}-left`, `${side}-right`])
    .map((name) => [name, '']),
)

export function asMarkdown(figures: readonly Figure[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  const rows = inOrder(figures).map((figure) => line(cellsOf(figure, (verdict) => verdict)))
  return [machine(), '', line(HEAD), '|---|---:|---:|---:|---:|---:|---|---|', ...rows, '', NOTE].join('\n')
}

export function asJson(figures: readonly Figure[]): string {
  const judged = inOrder(figures).map((figure) => ({
    ...figure,
    targets: targetsOf(figure).map((target) => ({ target: target.about, isMet: target.isMet(figure) })),
  }))
  return JSON.stringify({ machine: machine(), figures: judged }, undefined, 2)
}

const NOTE =
  'at: connections, or commands in flight, or rounds that are kept. Medians of short runs; "of limit": beside the empty route, a bare worker, none kept, few kept, no search, or one process; of a node, its share of all.'

function machine(): string {
  const cores = cpus()
  return `${cores.length} × ${cores[0]?.model.trim() ?? 'unknown CPU'}, Node ${process.versions.node}, servers run from TypeScript`
}

/** In the order of the names above. */
function inOrder(figures: readonly Figure[]): Figure[] {
  const order = Object.keys(NAMES)
  return [...figures].sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name))
}

function cellsOf(figure: Figure, paint: (verdict: string) => string): string[] {
  const { name, at, systems, p50Ms, p99Ms } = figure
  const ratio = figure.ofEmpty ?? figure.ofLimit
  const targets = targetsOf(figure)
  const verdict = targets.every((target) => target.isMet(figure)) ? 'pass' : 'falls short'
  return [
    systems === undefined ? NAMES[name] : `${NAMES[name]}, ${grouped(systems)} systems`,
    at === undefined ? '' : grouped(at),
    amountText(figure),
    ratio === undefined ? '' : ratio.toFixed(2),
    msText(p50Ms),
    msText(p99Ms),
    targets.map((target) => target.about).join(', '),
    targets.length === 0 ? '' : paint(verdict),
  ]
}

function paintVerdict(verdict: string): string {
  return verdict === 'pass' ? colors.green(verdict) : colors.red(verdict)
}

function amountText({ perSecond, seconds, bytes, count, percent, micros }: Figure): string {
  if (micros !== undefined) return `${micros.toFixed(0)} µs`
  if (percent !== undefined) return `${percent.toFixed(2)} %`
  if (count !== undefined) return grouped(count)
  if (perSecond !== undefined) return `${perSecond < 100 ? perSecond.toFixed(1) : grouped(perSecond)}/s`
  if (seconds !== undefined) return `${seconds.toFixed(2)} s`
  return bytes === undefined ? '' : `${grouped(bytes)} B`
}

function msText(ms: number | undefined): string {
  return ms === undefined ? '' : ms.toFixed(2)
}

function grouped(value: number): string {
  return Math.round(value).toLocaleString('en')
}
