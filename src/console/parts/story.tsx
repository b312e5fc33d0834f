import type { RoundEventJson, RoundJson } from '../../core/rounds/round-wire.ts'
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
  readonly fence?: number
  readonly who?: ComponentChildren
  readonly note?: string
}

/** What became of a round, in the order in which it did. Only what was noted when it happened: nothing is computed from what is left. */
export function Story({ round }: { readonly round: RoundJson }): VNode {
  return (
    <ol class="story">
      {eventsOf(round).map(({ at, mark, tone, what, fence, who, note }) => (
        <li key={`${at} ${what} ${fence}`}>
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
  const all = [submissionOf, notedOf, earlierOf, leadOf, endOf, dueOf].flatMap((of) => of(round))
  // Of one moment in this order.
  return all.toSorted((a, b) => Date.parse(a.at) - Date.parse(b.at))
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

/** What was noted on the way. */
function notedOf({ events = [], history = [] }: RoundJson): Event[] {
  const ends = [...events.filter(({ what }) => what === 'failed' || what === 'givenBack'), ...history]
  const hasEnded = (fence: number | undefined) => ends.some((end) => end.fence === fence)
  return events.map((event) => ({
    at: event.at,
    ...(event.fence !== undefined && { fence: event.fence }),
    ...sayEvent(event, hasEnded(event.fence)),
  }))
}

/** @param hasEnded what has become of a leader or a start is told besides */
function sayEvent(
  { what, by, fence, reason, outcome }: RoundEventJson,
  hasEnded: boolean,
): Omit<Event, 'at' | 'fence'> {
  const who = `by ${by} under fence ${fence}`
  switch (what) {
    case 'submitted':
      return { mark: 'wait', tone: 'wait', what, who: `to the worker ${by}` }
    case 'led': {
      const note = 'its lease ended without a report, and another took over'
      return { mark: 'play', tone: 'accent', what, who, ...(!hasEnded && { note }) }
    }
    case 'started': {
      const note = 'came to no end: its worker died, or lost Redis'
      return { mark: 'play', tone: 'accent', what, who, ...(!hasEnded && { note }) }
    }
    case 'failed': {
      const note = reason === undefined ? {} : { note: reason }
      return { mark: 'cross', tone: 'bad', what: 'attempt failed', who: `under fence ${fence}`, ...note }
    }
    case 'givenBack':
      return { mark: 'wait', tone: 'wait', what: 'given back', who: `under fence ${fence}` }
    case 'refused': {
      const under = fence === undefined ? '' : ` under fence ${fence}`
      return { mark: 'cross', tone: 'warn', what: 'report refused', who: `of ${by}${under}: ${outcome}` }
    }
  }
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
  const { job, leader, leaderName, fence, electedAt, leaseMs, events } = round
  const times = job && job.starts > 1 ? `start ${job.starts}` : job ? 'started' : 'led'
  // Of a later start it would be what came before, too.
  const waited = job && job.starts <= 1 ? Date.parse(electedAt) - Date.parse(job.submittedAt) : undefined
  const notes = [
    waited !== undefined && waited >= 0 && `waited ${duration(waited)}`,
    // Where no more is known of them.
    events === undefined &&
      job &&
      job.starts > 1 &&
      `${job.starts - 1} earlier start${job.starts > 2 ? 's' : ''} ended without a report, or failed`,
    leaseMs !== undefined && `lease of ${duration(leaseMs)}`,
  ].filter(Boolean)
  return [
    {
      at: electedAt,
      fence,
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
