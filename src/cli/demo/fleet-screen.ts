import { createLogUpdate } from 'log-update'
import type { InstanceJson } from '../../core/fleet/fleet-wire.ts'
import { type Colors, colorsOf } from '../terminal.ts'
import { tableOf } from '../text/table.ts'
import type { Fault } from './fleet-faults.ts'
import type { FleetSums } from './fleet-journal.ts'
import { POOL, POOL_SIZE } from './protocol.ts'

/** What there is to see at a moment. */
export interface FleetView {
  /** What is being waited for, while it starts or ends. */
  readonly status?: string
  readonly url?: string
  readonly instances: readonly InstanceJson[]
  readonly sums?: FleetSums
  readonly faults: readonly Fault[]
}

const TITLE = 'gone: workers die, hang, leak and are deployed over, and no job notices'
const INTRO = [
  'Two supervisors keep three instances each, which run four jobs a second. Every',
  'few seconds one is killed, stopped or leaks, or all get another release.',
]
/** With one blank before them and two between they fit 80 columns. */
const FAULT_WIDTHS = [8, 17, 13, 6, 4, 21]
const FAULT_TITLES = ['at', 'what happened', 'to', 'took', 'cut', 'note']
const PLACE_WIDTHS = [8, 6, 9, 14, 6, 8]
const PLACE_TITLES = ['place', 'host', 'release', 'state', 'runs', 'memory']
const MIN_ROWS = 3

/** A picture that is redrawn on a terminal, lines that are added elsewhere. */
export class FleetScreen {
  private readonly draw: ReturnType<typeof createLogUpdate> | undefined
  private readonly colors: Colors
  private said = ''
  private shown = 0
  private height = 0

  constructor(private readonly stream: NodeJS.WriteStream) {
    this.draw = stream.isTTY ? createLogUpdate(stream) : undefined
    this.colors = colorsOf(stream)
  }

  show(view: FleetView): void {
    if (this.draw) this.redraw(this.draw, this.picture(view, footOf(view, this.colors)))
    else this.addLines(view)
  }

  /** Ends it, with the text below. */
  end(view: FleetView, text: string | undefined): void {
    if (this.draw) {
      this.redraw(this.draw, this.picture(view, text === undefined ? [] : ['', ...text.split('\n')]))
    } else {
      this.addLines(view)
      if (text !== undefined) this.stream.write(`${text}\n`)
    }
    this.draw?.done()
  }

  private redraw(draw: ReturnType<typeof createLogUpdate>, picture: string): void {
    const height = picture.split('\n').length
    // log-update 7.2 redraws only what differs, and forgets what a line added above has moved down.
    if (height !== this.height) draw.clear()
    this.height = height
    draw(picture)
  }

  private picture(view: FleetView, foot: readonly string[]): string {
    const { colors } = this
    const head = ['', colors.bold(TITLE), '', ...INTRO, '']
    const body = view.sums
      ? [...placeTable(view.instances, colors).split('\n'), '', sumsText(view.sums, colors), '']
      : []
    const rows = (this.stream.rows || 24) - head.length - body.length - foot.length - 2
    const faults = view.faults.slice(-Math.max(MIN_ROWS, rows))
    const table = view.sums ? faultTable(faults, colors).split('\n') : []
    return [...head, ...body, ...table, ...foot].map((line) => (line === '' ? line : ` ${line}`)).join('\n')
  }

  private addLines({ status, url, faults, sums }: FleetView): void {
    if (status !== undefined && status !== this.said) this.stream.write(`${status}\n`)
    this.said = status ?? this.said
    const over = faults.filter(({ tookMs }) => tookMs !== undefined)
    if (over.length <= this.shown || sums === undefined) return
    const [header, ...rows] = faultTable(over, this.colors).split('\n')
    if (this.shown === 0) this.stream.write(`${[TITLE, ...INTRO, `console ${url}/`, header].join('\n')}\n`)
    this.stream.write(`${rows.slice(this.shown).join('\n')}\n`)
    this.shown = over.length
  }
}

/** What was seen, in a few lines. */
export function fleetSummary(sums: FleetSums, faults: readonly Fault[], isPromised: boolean): string {
  const over = faults.filter(({ tookMs }) => tookMs !== undefined)
  const { submitted, completed, again, twice, failed, slowestMs } = sums
  const wrong = over.filter(({ note }) => note.startsWith('NOT'))
  return [
    isPromised
      ? `${submitted} jobs through ${over.length} faults: each completed once.`
      : `NOT AS PROMISED: of ${submitted} jobs ${completed} completed, ${failed} failed, ${twice} were done twice.`,
    ...wrong.map(({ what, where, note }) => `  ${what}, ${where}: ${note}`),
    ...(again > 0 ? [`${again} ran again elsewhere: who ran them was killed.`] : []),
    `The slowest took ${seconds(slowestMs)}.`,
  ].join('\n')
}

function placeTable(instances: readonly InstanceJson[], colors: Colors): string {
  const rows = Array.from({ length: POOL_SIZE }, (_, index) => {
    const name = `${POOL}/${index + 1}`
    // Of two, one of which is to be in the place of the other, the last one.
    const one = instances
      .filter(({ place }) => place === name)
      .toSorted((a, b) => a.startedAt.localeCompare(b.startedAt))
      .at(-1)
    if (one === undefined) return [name, '', '', colors.red('starts'), '', '']
    const { host, release, state, workers, rssBytes = 0 } = one
    const running = workers.reduce((sum, worker) => sum + worker.running, 0)
    const shown = state === 'registered' ? colors.green(state) : colors.yellow(state)
    return [name, host, release, shown, String(running), `${Math.round(rssBytes / 1_048_576)} MB`]
  })
  return tableOf(PLACE_TITLES, rows, { colors, widths: PLACE_WIDTHS })
}

function sumsText(
  { submitted, completed, underWay, failed, twice, slowestMs }: FleetSums,
  colors: Colors,
): string {
  const wrong = (count: number, what: string) => {
    const text = `${count} ${what}`
    return count > 0 ? colors.red(text) : colors.green(text)
  }
  return [
    `${submitted} jobs`,
    `${completed} completed`,
    `${underWay} under way`,
    `slowest ${seconds(slowestMs)}`,
    wrong(failed, 'failed'),
    wrong(twice, 'twice'),
  ].join('  ')
}

function faultTable(faults: readonly Fault[], colors: Colors): string {
  const rows = faults.map(({ startedAtMs, what, where, tookMs, cut, note }) => [
    new Date(startedAtMs).toISOString().slice(11, 19),
    what,
    where,
    tookMs === undefined ? '' : seconds(tookMs),
    cut > 0 ? String(cut) : '',
    note.startsWith('NOT') ? colors.red(note) : tookMs === undefined ? colors.dim(note || 'under way') : note,
  ])
  return tableOf(FAULT_TITLES, rows, { colors, widths: FAULT_WIDTHS })
}

function footOf({ status, url }: FleetView, { dim, cyan, bold }: Colors): string[] {
  if (url === undefined) return status === undefined ? [] : [status]
  return [
    '',
    ...(status === undefined ? [] : [status]),
    `${dim('console')}  ${cyan(`${url}/`)}  ${dim('end')}  ${bold('Ctrl-C')} removes all that it has started`,
  ]
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`
}
