import { visible } from '../../core/printable.ts'
import type { RoundState } from '../../core/rounds/record.ts'
import type { LedRoundJson, RoundEndJson, RoundJson } from '../../core/rounds/round-wire.ts'
import type { Colors } from '../terminal.ts'
import { detailsOf, tableOf, widthsWithin } from '../text/table.ts'
import { utcTime } from '../text/times.ts'
import { endOf } from './round-commands.ts'

const TITLES = ['state', 'round', 'who', 'came (UTC)']
const MIN_NAME = 16
const MIN_WHO = 12

/** A line for each round; it fits 80 columns where names are not too long. */
export function roundTable(
  rounds: readonly RoundJson[],
  colors: Colors,
  columns = Number.POSITIVE_INFINITY,
): string {
  const rows = rounds.map((round) => [
    stateText(round.state, colors),
    `${round.system}/${round.round}`,
    visible(whoOf(round)),
    utcTime({ at: cameAt(round) }),
  ])
  const widths = widthsWithin(
    columns,
    [TITLES, ...rows],
    [
      { index: 1, min: MIN_NAME },
      { index: 2, min: MIN_WHO },
    ],
  )
  return tableOf(TITLES, rows, { colors, widths })
}

/** One round: a line for each thing that is known of it, and for each way in which it had ended before. */
export function roundDetails(round: RoundJson, colors: Colors): string {
  const { job, history = [], deadlineAt } = round
  const rows: Row[] = [
    ['state', stateText(round.state, colors)],
    ['now', visible(endOf(round))],
    ...(job
      ? [['job', `of ${job.worker}, submitted ${submissionsText(job)}, ${startsText(job.starts)}`] as const]
      : []),
    ...(round.leader === undefined ? [] : leadRows(round)),
    ...(deadlineAt === undefined || round.completion ? [] : [['deadline', deadlineAt] as const]),
    ...history.map((end): Row => ['before', visible(beforeText(end))]),
  ]
  return detailsOf(`${round.system}/${round.round}`, rows, colors)
}

type Row = readonly [name: string, text: string]

function leadRows({ leaderName, electedAt, completion, leaseExpiresAt }: LedRoundJson): Row[] {
  return [
    ...(leaderName === undefined ? [] : [['leader', visible(leaderName)] as const]),
    ['elected', electedAt],
    ...(completion ? [['ended', completion.at] as const] : []),
    ...(leaseExpiresAt === undefined || completion ? [] : [['lease until', leaseExpiresAt] as const]),
  ]
}

/** One round in a line, as it is told when it changes. */
export function roundLine(round: RoundJson, colors: Colors): string {
  return `${stateText(round.state.padEnd(9) as RoundState, colors)}  ${round.system}/${round.round}  ${visible(endOf(round))}`
}

/** When it was submitted, or else led; of one that nobody leads any more, by when somebody should have. */
function cameAt(round: RoundJson): string {
  return round.job?.submittedAt ?? (round.leader === undefined ? (round.deadlineAt ?? '') : round.electedAt)
}

/** Who leads or led it, or what worker is to. */
function whoOf(round: RoundJson): string {
  if (round.leader === undefined) return round.job ? `for ${round.job.worker}` : ''
  return round.leaderName ?? round.leader
}

function beforeText({
  outcome,
  at,
  by,
  leader,
  reason,
  retriedAt,
  retriedBy,
  retriedFor,
}: RoundEndJson): string {
  const who = by ?? leader
  const why = reason === undefined ? '' : `: ${reason}`
  const wherefore = retriedFor === undefined ? '' : `, ${retriedFor}`
  return `${outcome} ${at}${who === undefined ? '' : ` by ${who}`}${why}; opened again ${retriedAt} by ${retriedBy}${wherefore}`
}

function submissionsText({ submittedAt, submissions }: NonNullable<RoundJson['job']>): string {
  return submissions === undefined ? submittedAt : `${submittedAt}, ${submissions} times in all`
}

function startsText(starts: number): string {
  return `started ${starts === 1 ? 'once' : `${starts} times`}`
}

export function stateText(state: RoundState, { green, red, yellow, dim }: Colors): string {
  switch (state.trimEnd()) {
    case 'completed':
      return green(state)
    case 'failed':
    case 'overdue':
      return red(state)
    case 'led':
      return yellow(state)
    default:
      return dim(state)
  }
}
