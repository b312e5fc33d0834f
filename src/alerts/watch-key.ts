import type { Expectation, WatchId, WatchName } from '../core/alert-ports.ts'
import { escapePart, unescapePart } from '../core/round.ts'

/** A watch as one text, different for an expectation and a schedule of the same name. */
export function watchKey({ of, system, name }: WatchId): string {
  return `${escapePart(system)}~${escapePart(name)}${of === 'schedule' ? '~s' : ''}`
}

export function parseWatchKey(key: string): WatchId {
  const [system = '', name = '', mark] = key.split('~')
  return {
    system: unescapePart(system),
    name: unescapePart(name),
    of: mark === 's' ? 'schedule' : 'expectation',
  }
}

/** Sorts by system, then name: "!" comes before all that an escaped name can hold. */
export function indexName({ system, name }: WatchName): string {
  return `${escapePart(system)}!${escapePart(name)}`
}

export function parseIndexName(member: string): WatchName {
  const [system = '', name = ''] = member.split('!')
  return { system: unescapePart(system), name: unescapePart(name) }
}

/** A schedule that is watched anew is not judged by what is long past. */
export const MAX_ADOPTED_AGO_MS = 3_600_000

/** Candidates are counted when the grace is over; a watchman that was away for an hour still finds the count. */
const COUNT_KEPT_MS = 3_600_000

/** How long after a round's first candidate its count is needed; 0 if it is not. */
export function countNeededMs({ replicas, graceMs }: Expectation): number {
  return replicas === undefined ? 0 : graceMs + COUNT_KEPT_MS
}
