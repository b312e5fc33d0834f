import { parseDuration } from '../../core/duration.ts'
import { escapePart } from '../../core/round.ts'

/** A member of a schedule that differs. Undefined: it has none. */
export interface MemberChange {
  /** Such as `cron` or `job.attempts`. */
  readonly member: string
  readonly from: unknown
  readonly to: unknown
}

/** Members whose own members are compared one by one. */
export const NESTED: readonly string[] = ['dst', 'catchUp', 'job', 'job.backoff', 'expect']
/** Members that are durations: `60m` is `1h`. */
export const DURATIONS: readonly string[] = [
  'every',
  'jitter',
  'catchUp.window',
  'job.timeout',
  'job.deadline',
  'job.backoff.delay',
  'expect.grace',
]
const TIMES: readonly string[] = ['at', 'startAt', 'endAt']

/** What the server says of a schedule beside what was put. */
const NOT_PUT: readonly string[] = [
  'system',
  'name',
  'paused',
  'createdAt',
  'updatedAt',
  'next',
  'last',
  'now',
]

/** What is left out means. A job's worker is the system's then, which is written by its queue's name. */
const DEFAULTS: Readonly<Record<string, unknown>> = {
  tz: 'UTC',
  'dst.gap': 'run-after',
  'dst.overlap': 'first',
  'catchUp.window': '1h',
  'catchUp.max': 10,
  overlap: 'allow',
  jitter: '0',
  'job.data': null,
}

/** Which members differ, in the order that the schedules have them; what is left out is the same as its default. */
export function memberChanges(from: object, to: object, system: string): readonly MemberChange[] {
  const [before, after] = [membersOf(from, system), membersOf(to, system)]
  const names = new Set([...before.keys(), ...after.keys()])
  return [...names]
    .map((member) => ({ member, from: before.get(member), to: after.get(member) }))
    .filter((change) => comparable(change.member, change.from) !== comparable(change.member, change.to))
}

/** The members that say something other than their default, nested ones by their path. */
export function membersOf(schedule: object, system: string): Map<string, unknown> {
  const members = new Map<string, unknown>()
  for (const [name, value] of flat(schedule, '')) {
    if (NOT_PUT.includes(name) || value === undefined) continue
    const usual = name === 'job.worker' ? escapePart(system) : DEFAULTS[name]
    if (usual === undefined || comparable(name, value) !== comparable(name, usual)) members.set(name, value)
  }
  return members
}

/** For people: `cron: "0 2 * * *" -> "0 3 * * *"`. */
export function changeText({ member, from, to }: MemberChange): string {
  return `${member}: ${valueText(member, from)} -> ${valueText(member, to)}`
}

const MAX_VALUE = 60

function valueText(member: string, value: unknown): string {
  const text = JSON.stringify(value ?? DEFAULTS[member]) ?? 'none'
  return text.length > MAX_VALUE ? `${text.slice(0, MAX_VALUE).toWellFormed()}…` : text
}

function flat(value: object, prefix: string): [string, unknown][] {
  return Object.entries(value).flatMap(([name, member]): [string, unknown][] => {
    const path = `${prefix}${name}`
    const isOpened = NESTED.includes(path) && typeof member === 'object' && member !== null
    return isOpened ? flat(member, `${path}.`) : [[path, member]]
  })
}

function comparable(member: string, value: unknown): string | undefined {
  if (typeof value === 'string') {
    const ms = DURATIONS.includes(member)
      ? parseDuration(value)
      : TIMES.includes(member)
        ? Date.parse(value)
        : Number.NaN
    if (ms !== undefined && !Number.isNaN(ms)) return String(ms)
  }
  return JSON.stringify(value, (_, inner: unknown) => {
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return inner
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
  })
}
