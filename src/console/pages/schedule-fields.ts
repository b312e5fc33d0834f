import type { ScheduleBody, ScheduleJson } from '../../core/schedules/schedule-wire.ts'
import { jsonOf, jsonText } from '../lib/json.ts'

/** What is written in the form, each field as its text. */
export interface Drawn {
  readonly system: string
  readonly name: string
  readonly kind: string
  readonly when: string
  readonly zone: string
  readonly worker: string
  readonly data: string
  readonly attempts: string
  readonly overlap: string
  readonly grace: string
}

export const EMPTY: Drawn = {
  system: '',
  name: '',
  kind: 'cron',
  when: '0 8 * * MON-FRI',
  zone: 'UTC',
  worker: '',
  data: '{}',
  attempts: '',
  overlap: 'allow',
  grace: '',
}

interface Field {
  readonly label: string
  readonly hint: string
  readonly choices?: readonly string[]
  readonly isLong?: true
}

const FIELDS: Readonly<Record<keyof Drawn, Field>> = {
  system: { label: 'System', hint: 'What the rounds are of, such as cleaner.' },
  name: { label: 'Name', hint: 'Of the schedule, within its system, such as nightly.' },
  kind: {
    label: 'When',
    hint: 'By a cron expression, an interval, or once.',
    choices: ['cron', 'every', 'at'],
  },
  when: { label: 'That is', hint: '0 8 * * MON-FRI, 15m, or 2026-12-24T18:00:00Z' },
  zone: { label: 'Zone', hint: 'That its times are meant in, such as Europe/Berlin.' },
  worker: { label: 'Worker', hint: 'That runs it. Without one: of the name of the system.' },
  data: { label: 'Data', hint: 'Any JSON, for the worker.', isLong: true },
  attempts: { label: 'Attempts', hint: 'How often a failing job is tried; without: as the worker says.' },
  overlap: {
    label: 'Overlap',
    hint: 'What becomes of a slot while the one before it runs.',
    choices: ['allow', 'skip', 'queue', 'cancel-previous'],
  },
  grace: {
    label: 'Grace',
    hint: 'An alert opens for a slot whose round has not come within, such as 5m. Without: none does.',
  },
}

export function fieldOf(name: keyof Drawn): Field {
  return FIELDS[name]
}

export function formOf(one: ScheduleJson): Drawn {
  const { system, name, cron, every, at, tz, job, overlap, expect } = one
  return {
    system,
    name,
    kind: cron !== undefined ? 'cron' : every !== undefined ? 'every' : 'at',
    when: cron ?? every ?? at ?? '',
    zone: tz,
    worker: job.worker,
    data: jsonText(job.data, 2),
    attempts: job.attempts === undefined ? '' : String(job.attempts),
    overlap,
    grace: expect?.grace ?? '',
  }
}

/** What is asked for: what the form has no field for stays as it is. */
export function bodyIn(form: Drawn, before: ScheduleJson | undefined): ScheduleBody {
  const { kind, when, zone, worker, data, attempts, overlap, grace } = form
  const { dst, jitter, catchUp, startAt, endAt } = before ?? {}
  const { attempts: _, worker: __, data: ___, ...job } = before?.job ?? { worker: '', data: {} }
  return {
    [kind]: when.trim(),
    tz: zone.trim(),
    ...(dst && { dst }),
    ...(jitter !== undefined && { jitter }),
    ...(catchUp && { catchUp }),
    ...(startAt !== undefined && { startAt }),
    ...(endAt !== undefined && { endAt }),
    overlap: overlap as NonNullable<ScheduleBody['overlap']>,
    job: {
      ...job,
      ...(worker.trim() !== '' && { worker: worker.trim() }),
      data: jsonOf(data),
      ...(attempts !== '' && { attempts: Number(attempts) }),
    },
    ...(grace.trim() !== '' && { expect: { grace: grace.trim() } }),
  }
}

interface Change {
  readonly name: string
  readonly from: string
  readonly to: string
}

/** Which members are other than they were. */
export function changesOf(before: ScheduleJson, body: ScheduleBody): readonly Change[] {
  const [old, next] = [flat(before), flat(body)]
  const names = [
    'cron',
    'every',
    'at',
    'tz',
    'overlap',
    'expect.grace',
    'job.worker',
    'job.attempts',
    'job.data',
    'dst',
    'jitter',
    'catchUp',
    'startAt',
    'endAt',
  ]
  return names.flatMap((name) => {
    const [from, to] = [old[name] ?? 'none', next[name] ?? 'none']
    return from === to ? [] : [{ name, from, to }]
  })
}

function flat({
  cron,
  every,
  at,
  tz,
  overlap,
  expect,
  job,
  ...more
}: ScheduleBody): Readonly<Record<string, string | undefined>> {
  return {
    cron,
    every,
    at,
    tz,
    overlap,
    'expect.grace': expect?.grace,
    'job.worker': job?.worker,
    'job.attempts': job?.attempts === undefined ? undefined : String(job.attempts),
    'job.data': textIn(job?.data),
    dst: textIn(more.dst),
    jitter: more.jitter,
    catchUp: textIn(more.catchUp),
    startAt: more.startAt,
    endAt: more.endAt,
  }
}

function textIn(value: unknown): string | undefined {
  return value === undefined ? undefined : jsonText(value)
}
