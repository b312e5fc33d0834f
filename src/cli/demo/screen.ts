import { createLogUpdate } from 'log-update'
import { type Colors, colorsOf } from '../terminal.ts'
import type { LedgerJob } from './job-ledger.ts'
import type { LedgerRound } from './ledger.ts'
import { jobTable, roundTable } from './tables.ts'

/** What there is to see at a moment. */
export interface View {
  /** What is being waited for, while it starts or ends. */
  readonly status?: string
  readonly url?: string
  readonly everyMs: number
  /** Time to the next round. */
  readonly nextMs: number
  readonly replicas: readonly ReplicaView[]
  readonly workers: readonly WorkerView[]
  readonly rounds: readonly LedgerRound[]
  readonly jobs: readonly LedgerJob[]
}

export interface ReplicaView {
  readonly replica: number
  readonly doing: 'starting' | 'waiting' | 'working' | 'standing by'
}

export interface WorkerView {
  readonly worker: number
  readonly doing: 'down' | 'waiting' | 'working' | 'unregistered'
}

/** Where the demo shows itself: a picture that is redrawn on a terminal, lines that are added elsewhere. */
export interface Screen {
  show(view: View): void
  /** Ends the picture, with the text below it. */
  end(view: View, text: string | undefined): void
}

export function screenOn(stream: NodeJS.WriteStream): Screen {
  return stream.isTTY ? new Picture(stream) : new Lines(stream)
}

const TITLE = 'gone: every replica fires, one runs'
const MIN_ROWS = 2

class Picture implements Screen {
  private readonly draw: ReturnType<typeof createLogUpdate>
  private readonly colors: Colors
  private height = 0

  constructor(private readonly stream: NodeJS.WriteStream) {
    this.draw = createLogUpdate(stream)
    this.colors = colorsOf(stream)
  }

  show(view: View): void {
    this.redraw(this.picture(view, [...intro(view.everyMs), ''], this.foot(view)))
  }

  end(view: View, text: string | undefined): void {
    // What is said in the end takes the place of what was said at first.
    this.redraw(this.picture(view, [], text === undefined ? [''] : ['', ...text.split('\n'), '']))
    this.draw.done()
  }

  private redraw(picture: string): void {
    const height = picture.split('\n').length
    // log-update 7.2 redraws only what differs, and forgets what a line added above has moved down.
    if (height !== this.height) this.draw.clear()
    this.height = height
    this.draw(picture)
  }

  private picture(view: View, text: readonly string[], foot: readonly string[]): string {
    const head = ['', this.colors.bold(TITLE), '', ...text]
    // The cursor stands on a line below the picture.
    const tables = this.tables(view, (this.stream.rows || 24) - head.length - foot.length - 1)
    return [...head, ...tables, ...foot].map(indented).join('\n')
  }

  private tables(view: View, height: number): string[] {
    if (!hasBegun(view)) return []
    // Each has a header, and a blank line stands between them.
    const rows = Math.max(MIN_ROWS, Math.floor((height - 3) / 2))
    const [rounds, jobs] = [view.rounds.slice(-rows), view.jobs.slice(-rows)]
    return [roundTable(rounds, this.colors), '', jobTable(jobs, this.colors)]
  }

  private foot(view: View): string[] {
    const { bold, dim, cyan } = this.colors
    const lines = hasBegun(view) ? [''] : []
    if (view.status !== undefined) lines.push(...wrapped(view.status))
    if (view.url === undefined) return lines
    if (view.status === undefined) {
      lines.push(`${dim('replicas')}  ${this.replicas(view)}`, `${dim('fleet')}     ${this.workers(view)}`)
    }
    return [
      ...lines,
      `${dim('board')}     ${cyan(`${view.url}/board`)}  shows rounds and jobs`,
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

  private workers({ workers }: View): string {
    const { green, red, yellow, dim } = this.colors
    return workers
      .map(({ worker, doing }) => {
        if (doing === 'working') return green(`worker ${worker} works`)
        if (doing === 'unregistered') return yellow(`worker ${worker} is unregistered`)
        return doing === 'down' ? red(`worker ${worker} is down`) : dim(`worker ${worker} waits`)
      })
      .join('  ')
  }
}

class Lines implements Screen {
  private readonly colors = colorsOf({ isTTY: false })
  private shownRounds = 0
  private shownJobs = 0
  private said = ''
  private hasBegun = false
  private hasHeader = false
  private readonly unregistered = new Set<number>()

  constructor(private readonly stream: NodeJS.WriteStream) {}

  show(view: View): void {
    this.begin(view)
    this.sayRows(view)
    this.sayFleet(view)
    if (view.status !== undefined && view.status !== this.said) this.say(wrapped(view.status).join('\n'))
    this.said = view.status ?? ''
  }

  end(view: View, text: string | undefined): void {
    this.show(view)
    if (text !== undefined) this.say(text)
  }

  /** Of rounds and jobs as they are over. The columns are the same, so that they read as one table. */
  private sayRows({ rounds, jobs, url }: View): void {
    const [roundHeader, ...roundRows] = roundTable(rounds.filter(isJudged), this.colors).split('\n')
    const [jobHeader, ...jobRows] = jobTable(jobs.filter(isJudged), this.colors).split('\n')
    const rows = [...roundRows.slice(this.shownRounds), ...jobRows.slice(this.shownJobs)]
    if (rows.length === 0) return
    const header = [`board ${url}/board shows rounds and jobs`, roundHeader, jobHeader]
    this.say([...(this.hasHeader ? [] : header), ...rows].join('\n'))
    this.hasHeader = true
    this.shownRounds = roundRows.length
    this.shownJobs = jobRows.length
  }

  private sayFleet({ workers }: View): void {
    for (const { worker, doing } of workers) {
      if (doing === 'unregistered' && !this.unregistered.has(worker)) {
        this.unregistered.add(worker)
        this.say(`fleet: worker ${worker} is unregistered, and takes no jobs`)
      } else if ((doing === 'waiting' || doing === 'working') && this.unregistered.delete(worker)) {
        this.say(`fleet: worker ${worker} is registered again`)
      }
    }
  }

  private begin({ everyMs }: View): void {
    if (this.hasBegun) return
    this.hasBegun = true
    this.say([TITLE, ...intro(everyMs)].join('\n'))
  }

  private say(text: string): void {
    this.stream.write(`${text}\n`)
  }
}

function intro(everyMs: number): string[] {
  return [
    `Every ${everyMs / 1_000} s five replicas ask to lead a round: one is told yes (202) and works`,
    'a second, the others no (204). All submit it as a job: one results, and one of',
    'two workers runs it, and rests for a round now and then. In every third round',
    'the leader dies, in the next the worker: another takes over, higher fence.',
  ]
}

function hasBegun({ rounds, jobs }: View): boolean {
  return rounds.length > 0 || jobs.length > 0
}

function isJudged({ faults }: Pick<LedgerRound, 'faults'>): boolean {
  return faults !== undefined
}

function wrapped(text: string): string[] {
  return text.match(/\S.{0,77}(?=\s|$)/g) ?? []
}

function indented(text: string): string {
  return text.replace(/^(?=.)/gm, ' ')
}
