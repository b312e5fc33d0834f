import { cpus } from 'node:os'
import Table from 'cli-table3'
import colors from 'picocolors'
import type { Figure } from './figures.ts'
import { targetsOf } from './targets.ts'

const NAMES: Readonly<Record<Figure['name'], string>> = {
  winners: 'winners',
  losers: 'losers, round known',
  elected: 'elected, round known',
  unseen: 'losers, round not seen',
  race: 'race for one round',
  memory: 'memory, round and job',
  memoryWithoutJob: 'memory, job gone',
  jobs: 'jobs, gate and record',
  start: 'submit to start, idle',
  keptSubmissions: 'submit, 500,000 kept',
  keptJobs: 'jobs, 500,000 kept',
  keptStart: 'start, 500,000 kept',
  scheduleMake: 'schedules made over HTTP',
  scheduleRearm: 'restart sets all alarms',
  scheduleTick: 'slots of one instant',
  scheduleList: 'all schedules listed',
  scheduleLateness: 'lateness of slots, idle',
  scheduleMemory: 'memory of a schedule',
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
  'at: connections, or commands in flight. Medians of short runs; "of limit": beside the empty route, or a bare worker.'

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
  const { name, at, p50Ms, p99Ms } = figure
  const ratio = figure.ofEmpty ?? figure.ofLimit
  const targets = targetsOf(figure)
  const verdict = targets.every((target) => target.isMet(figure)) ? 'pass' : 'falls short'
  return [
    NAMES[name],
    at === undefined ? '' : String(at),
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

function amountText({ perSecond, seconds, bytes, count }: Figure): string {
  if (count !== undefined) return grouped(count)
  if (perSecond !== undefined) return `${grouped(perSecond)}/s`
  if (seconds !== undefined) return `${seconds.toFixed(2)} s`
  return bytes === undefined ? '' : `${grouped(bytes)} B`
}

function msText(ms: number | undefined): string {
  return ms === undefined ? '' : ms.toFixed(2)
}

function grouped(value: number): string {
  return Math.round(value).toLocaleString('en')
}
