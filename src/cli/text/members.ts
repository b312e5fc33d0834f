import type { ListedExpectationJson } from '../../client/expectations.ts'
import { visible } from '../../core/printable.ts'
import { canonicalJson } from '../../core/rounds/job.ts'
import { escapePart } from '../../core/rounds/round.ts'
import type { FullScheduleBody } from '../../core/schedules/schedule-wire.ts'

/** A member of a schedule or an expectation that differs. Undefined: it has none. */
export interface MemberChange {
  /** Such as `cron` or `job.attempts`. */
  readonly member: string
  readonly from: unknown
  readonly to: unknown
}

/** The members that are put, of both, in the order in which they are shown. Nested ones are compared one by one. */
const MEMBERS = [
  ...['cron', 'every', 'at', 'tz', 'dst.gap', 'dst.overlap', 'startAt', 'endAt'],
  ...['jitter', 'catchUp.window', 'catchUp.max', 'overlap'],
  ...['job.worker', 'job.data', 'job.attempts', 'job.backoff', 'job.timeout', 'job.priority'],
  ...['job.deadline', 'job.ifExecutorDies', 'job.region', 'expect.grace'],
  ...['grace', 'late', 'replicas'],
] as const

/** What is left out means; so does the system's own queue as `job.worker`. */
const DEFAULTS: Readonly<Record<string, unknown>> = {
  tz: 'UTC',
  'dst.gap': 'run-after',
  'dst.overlap': 'first',
  jitter: '0',
  'catchUp.window': '1h',
  'catchUp.max': 10,
  overlap: 'allow',
  'job.data': null,
}

/** Which members differ between two schedules, or two expectations, as the server writes them. */
export function memberChanges<Put extends FullScheduleBody | ListedExpectationJson>(
  from: Put,
  to: Put,
): readonly MemberChange[] {
  return MEMBERS.map((member) => ({ member, from: memberOf(from, member), to: memberOf(to, member) })).filter(
    (change) => canonicalJson(change.from) !== canonicalJson(change.to),
  )
}

/** The members that say something else than what is usual. */
export function unusualMembers(schedule: FullScheduleBody, system: string): readonly [string, unknown][] {
  const usual: Readonly<Record<string, unknown>> = { ...DEFAULTS, 'job.worker': escapePart(system) }
  return MEMBERS.map((member): [string, unknown] => [member, memberOf(schedule, member)]).filter(
    ([member, value]) => value !== undefined && canonicalJson(value) !== canonicalJson(usual[member]),
  )
}

/** For people: `cron: "0 2 * * *" -> "0 3 * * *"`. */
export function changeText({ member, from, to }: MemberChange): string {
  return `${member}: ${valueText(from)} -> ${valueText(to)}`
}

const MAX_VALUE = 60

function valueText(value: unknown): string {
  const text = visible(JSON.stringify(value) ?? 'none')
  return text.length > MAX_VALUE ? `${text.slice(0, MAX_VALUE).toWellFormed()}…` : text
}

function memberOf(schedule: object, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>((value, name) => (value as Record<string, unknown> | undefined)?.[name], schedule)
}
