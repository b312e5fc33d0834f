import type { Colors } from '../terminal.ts'
import { tableOf } from '../text/table.ts'
import { type LedgerJob, tookMs } from './job-ledger.ts'
import { count, type LedgerRound, median } from './ledger.ts'

/** With two blanks between and one before them they fit 80 columns. Both tables have them, so that they can be one. */
const WIDTHS = [8, 9, 7, 15, 9, 21]
const ROUND_TITLES = ['round', 'leader', 'fence', 'losers told in', 'completed', 'note']
const JOB_TITLES = ['job', 'run by', 'fence', 'submitted', 'done in', 'note']

/** A header, and a row for each round. */
export function roundTable(rounds: readonly LedgerRound[], colors: Colors): string {
  return tableOf(
    ROUND_TITLES,
    rounds.map((round) => roundRow(round, colors)),
    { colors, widths: WIDTHS },
  )
}

/** A header, and a row for each job. */
export function jobTable(jobs: readonly LedgerJob[], colors: Colors): string {
  return tableOf(
    JOB_TITLES,
    jobs.map((job) => jobRow(job, colors)),
    { colors, widths: WIDTHS },
  )
}

function roundRow(round: LedgerRound, colors: Colors): string[] {
  const { leaderships, completedBy } = round
  const last = leaderships.at(-1)
  return [
    timeOf(round.round),
    last === undefined ? '' : `replica ${last.replica}`,
    leaderships.map(({ fence }) => fence).join(', '),
    toldIn(round.lostMs),
    completedBy.map((replica) => `replica ${replica}`).join(', '),
    noteOf(
      round,
      takeoverOf(leaderships.map(({ replica, ...rest }) => ({ number: replica, ...rest }))),
      colors,
    ),
  ]
}

function jobRow(job: LedgerJob, colors: Colors): string[] {
  const { runs, wereFirst } = job
  const last = runs.at(-1)
  const ms = tookMs(job)
  return [
    timeOf(job.round),
    last === undefined ? '' : `worker ${last.worker}`,
    runs.map(({ fence }) => fence).join(', '),
    submittedAs(wereFirst),
    ms === undefined ? '' : `${(ms / 1_000).toFixed(1)} s`,
    noteOf(job, takeoverOf(runs.map(({ worker, ...rest }) => ({ number: worker, ...rest }))), colors),
  ]
}

type Takeover =
  | { readonly kind: 'none' }
  | { readonly kind: 'awaited'; readonly text: string }
  | { readonly kind: 'seen'; readonly text: string }

function takeoverOf(turns: readonly { readonly number: number; readonly wasKilled: boolean }[]): Takeover {
  const [before, last] = [turns.at(-2), turns.at(-1)]
  if (last?.wasKilled) return { kind: 'awaited', text: `${last.number} killed at work` }
  if (before === undefined || last === undefined) return { kind: 'none' }
  const end = before.wasKilled ? 'killed' : 'silent'
  return { kind: 'seen', text: `${before.number} ${end}, ${last.number} took over` }
}

function noteOf(
  { faults, troubles }: Pick<LedgerRound, 'faults' | 'troubles'>,
  takeover: Takeover,
  { yellow, red, dim }: Colors,
): string {
  if (faults?.[0]) return red(faults[0])
  if (troubles[0]) return red(troubles[0])
  if (takeover.kind === 'awaited') return red(takeover.text)
  if (takeover.kind === 'seen') return yellow(takeover.text)
  return faults === undefined ? dim('under way') : ''
}

function toldIn(ms: readonly number[]): string {
  if (ms.length === 0) return ''
  const [mid, max] = [median(ms), Math.max(...ms)].map((value) => value.toFixed(value < 10 ? 1 : 0))
  return `${mid} ms, max ${max}`
}

function submittedAs(wereFirst: readonly boolean[]): string {
  if (wereFirst.length === 0) return ''
  // There is one even if who made it died before its answer came.
  const jobs = Math.max(1, wereFirst.filter(Boolean).length)
  return `${count(wereFirst.length, 'time')}, ${count(jobs, 'job')}`
}

/** The time of day in a round's name. */
function timeOf(round: string): string {
  return round.slice(11).replaceAll('.', ':')
}
