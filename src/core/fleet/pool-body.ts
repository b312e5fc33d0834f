import { GoneError } from '../../errors.ts'
import { type Members, ofText, takeJson, whole } from '../expect.ts'
import { isWorkerName } from '../rounds/job.ts'
import { MAX_REASON } from '../rounds/limits.ts'
import { MOST_PLACES, type PoolSpec } from './pool.ts'
import { readSelection } from './selection.ts'

const MOST_WORKERS = 100

/** Names a folder below the root that a host allows, and never what is outside of it. */
export const RELEASE = ofText({
  expected: () => 'a release: up to 64 letters, digits, "_", "-" or ".", and not a "." first',
  fromText: (text) => (isRelease(text) ? text : undefined),
})

export function isRelease(text: string): boolean {
  return /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$/.test(text)
}

/** What is put: the pool as a whole, and why. @throws GoneError `INVALID_BODY`, `INVALID_PARAMETER` for where it is to be */
export function readPool(body: Members): { readonly spec: PoolSpec; readonly reason: string } {
  const { instances, workers, region, host, release } = body
  const { region: regions, host: hosts } = readSelection({
    region: textIn('region', region),
    host: textIn('host', host),
  })
  return {
    spec: {
      instances: takeJson('instances', whole(0, MOST_PLACES), instances, invalid),
      ...(workers !== undefined && { workers: workersIn(workers) }),
      ...(regions && { region: regions }),
      ...(hosts && { host: hosts }),
      ...(release !== undefined && { release: takeJson('release', RELEASE, release, invalid) }),
    },
    reason: reasonIn(body),
  }
}

/** What is deployed, and why. @throws GoneError `INVALID_BODY` */
export function readDeploy(body: Members): { readonly release: string; readonly reason: string } {
  return { release: takeJson('release', RELEASE, body.release, invalid), reason: reasonIn(body) }
}

/** How many instances a pool shall have. */
export interface PoolScale {
  readonly instances: number
  /** How many the asker was shown. */
  readonly count?: number
}

/** How many there shall be, and why. @throws GoneError `INVALID_BODY` */
export function readScale(body: Members): PoolScale & { readonly reason: string } {
  const { instances, count } = body
  const places = (name: string, value: unknown) => takeJson(name, whole(0, MOST_PLACES), value, invalid)
  return {
    instances: places('instances', instances),
    ...(count !== undefined && { count: places('count', count) }),
    reason: reasonIn(body),
  }
}

/** @throws GoneError `INVALID_BODY` */
export function reasonIn({ reason = '' }: Members): string {
  if (typeof reason === 'string' && reason.length <= MAX_REASON) return reason
  throw invalid(`reason: expected a text of up to ${MAX_REASON} characters`)
}

/** @throws GoneError `INVALID_PARAMETER` */
export function poolName(name: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name)) return name
  throw new GoneError(
    'INVALID_PARAMETER',
    `pool: expected up to 64 letters, digits, ".", "_" or "-", a letter or digit first, got ${JSON.stringify(name.slice(0, 64))}`,
  )
}

function workersIn(value: unknown): readonly string[] {
  const isList = Array.isArray(value) && value.length > 0 && value.length <= MOST_WORKERS
  const wrong = isList ? value.find((name) => typeof name !== 'string' || !isWorkerName(name)) : value
  if (isList && wrong === undefined) return [...new Set(value as readonly string[])].sort()
  throw invalid(
    `workers: expected a list of 1 to ${MOST_WORKERS} names of workers, got ${JSON.stringify(wrong)?.slice(0, 64)}`,
  )
}

function textIn(name: string, value: unknown): string | undefined {
  if (value === undefined || typeof value === 'string') return value
  throw invalid(
    `${name}: expected a text such as "eu" or "eu-*,us-a", got ${JSON.stringify(value).slice(0, 64)}`,
  )
}

function invalid(message: string): GoneError {
  return new GoneError('INVALID_BODY', message)
}
