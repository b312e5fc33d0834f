import type { RoundJson } from '../../core/rounds/round-wire.ts'
import { zone } from '../lib/choices.ts'
import { serverNowMs } from '../lib/clock.ts'
import { type ComponentChildren, h, type VNode } from '../lib/preact.js'
import { duration, moment, utc } from '../lib/times.ts'
import { Icon, type Mark } from './icons.tsx'

interface Event {
  readonly at: string
  readonly mark: Mark
  readonly tone: string
  readonly what: string
  readonly who?: ComponentChildren
  readonly note?: string
}

/** What became of a round, in the order in which it did. Only what was noted when it happened: nothing is computed from what is left. */
export function Story({ round }: { readonly round: RoundJson }): VNode {
  return (
    <ol class="story">
      {eventsOf(round).map(({ at, mark, tone, what, who, note }) => (
        <li key={`${at}${what}`}>
          <time dateTime={at} title={utc(Date.parse(at))}>
            {moment(Date.parse(at), zone(), serverNowMs())}
          </time>
          <span class={`at ${tone}`}>
            <Icon mark={mark} />
          </span>
          <div>
            <strong>{what}</strong> {who}
            {note !== undefined && <div class="quiet">{note}</div>}
          </div>
        </li>
      ))}
    </ol>
  )
}

function eventsOf(round: RoundJson): Event[] {
  return [...submissionOf(round), ...earlierOf(round), ...leadOf(round), ...endOf(round), ...dueOf(round)]
}

/** Of one that was opened again it is told as that: the record has the job's last submission. */
function submissionOf({ job, history = [] }: RoundJson): Event[] {
  const [last] = history
  if (job === undefined || (last && last.retriedAt <= job.submittedAt)) return []
  return [
    {
      at: job.submittedAt,
      mark: 'wait',
      tone: 'wait',
      what: 'submitted',
      who: `to the worker ${job.worker}${job.region === undefined ? '' : `, in ${job.region} while it takes jobs there`}`,
      ...(job.submissions !== undefined && { note: `and ${timesOf(job.submissions - 1)} more: one job` }),
    },
  ]
}

function timesOf(count: number): string {
  return count === 1 ? 'once' : `${count} times`
}

/** Ends that a retry has made earlier ones. */
function earlierOf({ history = [] }: RoundJson): Event[] {
  return history
    .toReversed()
    .flatMap(({ outcome, at, by, leader, fence, reason, retriedAt, retriedBy, retriedFor }): Event[] => [
      {
        at,
        mark: outcome === 'failed' ? 'cross' : 'warn',
        tone: outcome === 'failed' ? 'bad' : 'warn',
        what: outcome,
        who: [by && `by ${by}`, leader && `led by ${leader}`, fence !== undefined && `under fence ${fence}`]
          .filter(Boolean)
          .join(', '),
        ...(reason !== undefined && { note: reason }),
      },
      {
        at: retriedAt,
        mark: 'wait',
        tone: 'accent',
        what: 'opened again',
        who: `by ${retriedBy}`,
        ...(retriedFor !== undefined && { note: retriedFor }),
      },
    ])
}

function leadOf(round: RoundJson): Event[] {
  if (!('electedAt' in round)) return []
  const { job, leader, leaderName, fence, electedAt, leaseMs } = round
  const times = job && job.starts > 1 ? `start ${job.starts}` : job ? 'started' : 'led'
  const waited = job && Date.parse(electedAt) - Date.parse(job.submittedAt)
  const notes = [
    waited !== undefined && waited >= 0 && `waited ${duration(waited)}`,
    job &&
      job.starts > 1 &&
      `${job.starts - 1} earlier start${job.starts > 2 ? 's' : ''} ended without a report, or failed`,
    leaseMs !== undefined && `lease of ${duration(leaseMs)}`,
  ].filter(Boolean)
  return [
    {
      at: electedAt,
      mark: 'play',
      tone: 'accent',
      what: times,
      who: `by ${leaderName ?? leader} under fence ${fence}`,
      ...(notes.length > 0 && { note: notes.join(' · ') }),
    },
  ]
}

function endOf(round: RoundJson): Event[] {
  const { completion } = round
  if (completion === undefined) return []
  const { outcome, by, at, reason } = completion
  const ms = 'electedAt' in round ? Date.parse(at) - Date.parse(round.electedAt) : 0
  const isGood = outcome === 'completed'
  return [
    {
      at,
      mark: isGood ? 'tick' : 'cross',
      tone: isGood ? 'good' : 'bad',
      what: outcome,
      who: `by ${by}`,
      note: [reason, ms > 0 && `after ${duration(ms)}`].filter(Boolean).join(' · '),
    },
  ]
}

function dueOf(round: RoundJson): Event[] {
  if (round.state !== 'overdue' || round.deadlineAt === undefined) return []
  return [
    {
      at: round.deadlineAt,
      mark: 'warn',
      tone: 'warn',
      what: 'overdue',
      note: 'nobody has reported by its deadline',
    },
  ]
}
