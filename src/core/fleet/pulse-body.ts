import { GoneError } from '../../errors.ts'
import { type Members, members, ofText, oneOf, type Rule, span, takeJson, whole } from '../expect.ts'
import { isWorkerName } from '../rounds/job.ts'
import { MAX_REASON } from '../rounds/limits.ts'
import { type InstanceFacts, NO_REGION, NO_RELEASE, OWN_MODES, type OwnMode } from './instance.ts'
import type { SettingsTaken } from './worker-settings.ts'

/** What an instance says of itself that speaks HTTP alone. */
export interface OutsidePulse {
  readonly facts: InstanceFacts
  /** It says that it ends now. */
  readonly isEnd: boolean
  readonly workers: readonly OutsideWorker[]
  readonly cpuPercent: number
  readonly rssBytes: number
  readonly loopDelayMs: number
  /** How it went with what it was told. */
  readonly reports: readonly OrderReport[]
}

export interface OutsideWorker {
  readonly name: string
  readonly slots: number
  readonly running: number
  readonly done: number
  readonly failed: number
  /** How long ago it last took a job; missing: never. */
  readonly takenMs?: number
  readonly settings?: SettingsTaken
}

export interface OrderReport {
  readonly order: string
  readonly outcome: 'done' | 'failed'
  readonly detail: string
}

const MANY = 1_000_000_000
const MAX_WORKERS = 100
const MAX_REPORTS = 100

/** As the settings of our own workers. */
const LABEL = /^[\w.:-]{1,64}$/
const ID = /^[A-Za-z0-9_-]{1,64}$/

const label: Rule<string> = ofText({
  expected: () => '1 to 64 of letters, digits, ".", "_", ":" and "-"',
  fromText: (text) => (LABEL.test(text) ? text : undefined),
})
/** The id of an instance. */
export const idRule: Rule<string> = ofText({
  expected: () => '1 to 64 letters, digits, "_" and "-"',
  fromText: (text) => (ID.test(text) ? text : undefined),
  schema: { type: 'string', pattern: ID.source },
})
const workerRule: Rule<string> = ofText({
  expected: () => 'the name of a worker',
  fromText: (text) => (isWorkerName(text) ? text : undefined),
})

const WORKER_MEMBERS = ['name', 'slots', 'running', 'done', 'failed', 'taken', 'settings']

/** @throws GoneError `INVALID_BODY` */
export function readPulse(body: Members): OutsidePulse {
  const { cpuPercent = 0, rssBytes = 0, loopDelayMs = 0, mode = 'registered' } = body
  const workers = listIn('workers', body.workers, MAX_WORKERS).map((value, n) => workerIn(value, n))
  if (workers.length === 0) throw invalid('workers: expected at least one')
  const settings = workers.flatMap(({ name, settings }) => (settings ? [[name, settings] as const] : []))
  const said = take('mode', oneOf([...OWN_MODES, 'ended']), mode)
  return {
    facts: {
      id: take('id', idRule, body.id),
      workers: workers.map(({ name, slots }) => ({ name, slots })),
      release: take('release', label, body.release ?? NO_RELEASE),
      region: take('region', label, body.region ?? NO_REGION),
      host: take('host', label, body.host),
      pid: take('pid', whole(0, MANY), body.pid ?? 0),
      version: take('version', label, body.version ?? 'http'),
      mode: said === 'ended' ? 'stopping' : (said as OwnMode),
      overHttp: true,
      ...(isRegional(body) && { regional: true as const }),
      ...(settings.length > 0 && { settings: Object.fromEntries(settings) }),
    },
    isEnd: said === 'ended',
    workers,
    cpuPercent: take('cpuPercent', whole(0, MANY), cpuPercent),
    rssBytes: take('rssBytes', whole(0, Number.MAX_SAFE_INTEGER), rssBytes),
    loopDelayMs: take('loopDelayMs', whole(0, MANY), loopDelayMs),
    reports: listIn('reports', body.reports, MAX_REPORTS).map(reportIn),
  }
}

/** It takes jobs that are for its region: then it has to say which that is. */
function isRegional({ regional, region }: Members): boolean {
  if (regional === undefined || regional === false) return false
  if (regional === true && region !== undefined && region !== NO_REGION) return true
  throw invalid('regional: expected true or false, and a region where it is true')
}

function workerIn(value: unknown, n: number): OutsideWorker {
  const path = `workers[${n}]`
  const one = members({ name: path, owner: path }, value, WORKER_MEMBERS, invalid)
  const count = (name: 'running' | 'done' | 'failed') =>
    take(`${path}.${name}`, whole(0, MANY), one[name] ?? 0)
  const taken = one.taken === undefined ? undefined : take(`${path}.taken`, span(0, MANY * 10), one.taken)
  return {
    name: take(`${path}.name`, workerRule, one.name),
    slots: take(`${path}.slots`, whole(1, 10_000), one.slots ?? 1),
    running: count('running'),
    done: count('done'),
    failed: count('failed'),
    ...(taken !== undefined && { takenMs: taken }),
    ...(one.settings !== undefined && { settings: settingsIn(`${path}.settings`, one.settings) }),
  }
}

function settingsIn(path: string, value: unknown): SettingsTaken {
  const { revision, refused } = members({ name: path, owner: path }, value, ['revision', 'refused'], invalid)
  if (refused !== undefined && (typeof refused !== 'string' || refused.length > MAX_REASON))
    throw invalid(`${path}.refused: expected a text of up to ${MAX_REASON} characters`)
  return {
    revision: take(`${path}.revision`, whole(0, Number.MAX_SAFE_INTEGER), revision),
    ...(refused !== undefined && { refused }),
  }
}

function reportIn(value: unknown, n: number): OrderReport {
  const path = `reports[${n}]`
  const one = members({ name: path, owner: path }, value, ['order', 'outcome', 'detail'], invalid)
  const { detail = '' } = one
  if (typeof detail !== 'string' || detail.length > MAX_REASON)
    throw invalid(`${path}.detail: expected a text of up to ${MAX_REASON} characters`)
  return {
    order: take(`${path}.order`, idRule, one.order),
    outcome: take(`${path}.outcome`, oneOf(['done', 'failed']), one.outcome),
    detail,
  }
}

function listIn(name: string, value: unknown, most: number): readonly unknown[] {
  if (value === undefined) return []
  if (Array.isArray(value) && value.length <= most) return value
  throw invalid(`${name}: expected a list of at most ${most}`)
}

function take<T>(name: string, rule: Rule<T>, value: unknown): T {
  return takeJson(name, rule, value, invalid)
}

function invalid(message: string): GoneError {
  return new GoneError('INVALID_BODY', message)
}
