import { FLEET_KINDS } from '../../core/alerts/alert.ts'
import type { Expectation, FleetFact, WatchId, WatchName } from '../../core/alerts/alert-ports.ts'
import { escapePart, unescapePart } from '../../core/rounds/round.ts'

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

/** Where alerts of the fleet say a system. */
export const FLEET_SYSTEM = 'fleet'

/** Begins what an alert of the fleet is of. No watch's key does. */
export const FLEET_WATCH = '~fleet~'

/** What is open of the fleet, of the keys of all that is: what it is of, and its kind. */
export function fleetFactsIn(keys: Iterable<string>): readonly Pick<FleetFact, 'kind' | 'name'>[] {
  return [...keys].flatMap((key) => {
    if (!key.startsWith(FLEET_WATCH)) return []
    const at = key.lastIndexOf('~')
    const kind = FLEET_KINDS.find((one) => one === key.slice(at + 1))
    return kind === undefined ? [] : [{ kind, name: key.slice(FLEET_WATCH.length, at) }]
  })
}
