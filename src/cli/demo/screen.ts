import Table from 'cli-table3'
import { createLogUpdate } from 'log-update'
import { colorsOf } from '../terminal.ts'
import { type LedgerRound, median } from './ledger.ts'
import { LEASE_MS } from './protocol.ts'

/** What there is to see at a moment. */
export interface View {
  /** What is being waited for, while it starts or ends. */
  readonly status?: string
  readonly url?: string
  readonly everyMs: number
  /** Time to the next round. */
  readonly nextMs: number
  readonly replicas: readonly ReplicaView[]
  readonly rounds: readonly LedgerRound[]
}

export interface ReplicaView {
  readonly replica: number
  readonly doing: 'starting' | 'waiting' | 'working' | 'standing by'
}

type Colors = ReturnType<typeof colorsOf>

/** Where the demo shows itself: a picture that is redrawn on a terminal, lines that are added elsewhere. */
export interface Screen {
  show(view: View): void
  /** Ends the picture, with the text below it. */
  end(view: View, text: string | undefined): void
}

export function screenOn(stream: NodeJS.WriteStream): Screen {
  return stream.isTTY ? new Picture(stream) : new Lines(stream)
}

/** With two blanks between and one before them they fit 80 columns. */
const COLUMNS = [
  { title: 'round', width: 8 },
  { title: 'leader', width: 9 },
  { title: 'fence', width: 7 },
  { title: 'losers told in', width: 15 },
  { title: 'completed', width: 9 },
  { title: 'note', width: 21 },
]

class Picture implements Screen {
  private readonly draw: ReturnType<typeof createLogUpdate>
  private readonly colors: Colors
  private height = 0

  constructor(private readonly stream: NodeJS.WriteStream) {
    this.draw = createLogUpdate(stream)
    this.colors = colorsOf(stream)
  }

  show(view: View): void {
    this.redraw(this.picture(view))
  }

  end(view: View, text: string | undefined): void {
    this.redraw(this.picture(view, text === undefined ? [''] : ['', text, '']))
    this.draw.done()
  }

  private redraw(picture: string): void {
    const height = picture.split('\n').length
    // log-update 7.2 redraws only what differs, and forgets what a line added above has moved down.
    if (height !== this.height) this.draw.clear()
    this.height = height
    this.draw(picture)
  }

  private picture(view: View, foot = this.foot(view)): string {
    const { bold } = this.colors
    const head = ['', bold('gone: every replica fires, one runs'), '', ...intro(view.everyMs), '']
    const footLines = foot.join('\n').split('\n').length
    // The table's header takes a line, and the cursor stands on one below the picture.
    const room = Math.max(3, (this.stream.rows || 24) - head.length - footLines - 2)
    const table = view.rounds.length === 0 ? [] : [tableOf(view.rounds.slice(-room), this.colors)]
    return [...head, ...table, ...foot].map(indented).join('\n')
  }

  private foot(view: View): string[] {
    const { bold, dim, cyan } = this.colors
    const lines = view.rounds.length === 0 ? [] : ['']
    if (view.status !== undefined) lines.push(...wrapped(view.status))
    if (view.url === undefined) return lines
    if (view.status === undefined) lines.push(`${dim('replicas')}  ${this.replicas(view)}`)
    lines.push('')
    return [
      ...lines,
      `${dim('board')}     ${cyan(`${view.url}/board`)}  shows each round as a job`,
      `${dim('try it')}    curl -i ${view.url}/api/v1/elect/me/now  (202: you lead)`,
      `${dim('end')}       ${bold('Ctrl-C')} stops and removes all that the demo has started`,
    ]
  }

  private replicas({ replicas, nextMs }: View): string {
    const { green, red, dim } = this.colors
    if (replicas.every(({ doing }) => doing === 'waiting')) {
      return dim(`all wait for the next round, in ${Math.ceil(nextMs / 1_000)} s`)
    }
    return replicas
      .map(({ replica, doing }) => {
        if (doing === 'working') return green(`${replica} works`)
        if (doing === 'standing by') return `${replica} stands by`
        if (doing === 'starting') return red(`${replica} starts`)
        return dim(`${replica} waits`)
      })
      .join('  ')
  }
}

class Lines implements Screen {
  private shown = 0
  private said = ''
  private hasBegun = false

  constructor(private readonly stream: NodeJS.WriteStream) {}

  show(view: View): void {
    this.begin(view)
    this.sayRounds(view)
    if (view.status !== undefined && view.status !== this.said) this.say(view.status)
    this.said = view.status ?? ''
  }

  end(view: View, text: string | undefined): void {
    this.show(view)
    if (text !== undefined) this.say(text)
  }

  private sayRounds(view: View): void {
    const over = view.rounds.filter((round) => round.faults !== undefined)
    if (over.length === this.shown) return
    const [header, ...rows] = tableOf(over, colorsOf({ isTTY: false })).split('\n')
    if (this.shown === 0) {
      this.say(`board ${view.url}/board shows each round as a job`)
      this.say(header ?? '')
    }
    for (const row of rows.slice(this.shown)) this.say(row)
    this.shown = over.length
  }

  private begin({ everyMs }: View): void {
    if (this.hasBegun) return
    this.hasBegun = true
    this.say(['gone: every replica fires, one runs', ...intro(everyMs)].join('\n'))
  }

  private say(text: string): void {
    this.stream.write(`${text}\n`)
  }
}

function intro(everyMs: number): string[] {
  return [
    `Every ${everyMs / 1_000} s five processes wake and ask to lead the same round. One is told`,
    'yes (202) and works for a second; the others are told no (204) and stand by.',
    `In every third round the leader is killed at work: its lease of ${LEASE_MS / 1_000} s runs out,`,
    'and one of the others takes over, under a higher fence.',
  ]
}

function tableOf(rounds: readonly LedgerRound[], colors: Colors): string {
  const edges = ['top', 'bottom', 'mid', 'left', 'right'].flatMap((side) => [
    side,
    `${side}-mid`,
    `${side}-left`,
    `${side}-right`,
  ])
  const blank = Object.fromEntries([...edges, 'left-mid', 'mid-mid', 'right-mid'].map((side) => [side, '']))
  const table = new Table({
    head: COLUMNS.map(({ title }) => colors.dim(title)),
    colWidths: COLUMNS.map(({ width }) => width),
    chars: { ...blank, middle: '  ' },
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [], compact: true },
  })
  table.push(...rounds.map((round) => rowOf(round, colors)))
  return withoutTrailingBlanks(table.toString())
}

function rowOf(round: LedgerRound, colors: Colors): string[] {
  const { leaderships, completedBy } = round
  const last = leaderships.at(-1)
  return [
    timeOf(round.round),
    last === undefined ? '' : `replica ${last.replica}`,
    leaderships.map(({ fence }) => fence).join(', '),
    toldIn(round.lostMs),
    completedBy.map((replica) => `replica ${replica}`).join(', '),
    noteOf(round, colors),
  ]
}

function noteOf(round: LedgerRound, { green, yellow, red, dim }: Colors): string {
  const { leaderships, faults, troubles } = round
  if (faults?.[0]) return red(faults[0])
  if (troubles[0]) return red(troubles[0])
  const [before, last] = leaderships.slice(-2)
  if (before && last)
    return yellow(`${before.replica} ${before.wasKilled ? 'killed' : 'silent'}, ${last.replica} took over`)
  if (before?.wasKilled) return red(`${before.replica} killed at work`)
  return faults === undefined ? dim('under way') : green('')
}

function toldIn(ms: readonly number[]): string {
  if (ms.length === 0) return ''
  const [mid, max] = [median(ms), Math.max(...ms)].map((value) => value.toFixed(value < 10 ? 1 : 0))
  return `${mid} ms, max ${max}`
}

/** The time of day in a round's name. */
function timeOf(round: string): string {
  return round.slice(11).replaceAll('.', ':')
}

function wrapped(text: string): string[] {
  return text.match(/\S.{0,77}(?=\s|$)/g) ?? []
}

function withoutTrailingBlanks(text: string): string {
  return text.replace(/ +$/gm, '')
}

function indented(text: string): string {
  return text.replace(/^(?=.)/gm, ' ')
}
