import type { PoolJson, PoolPlaceJson, PoolSupervisorJson, RolloutJson } from '../../core/fleet/pool-wire.ts'
import { h, type VNode } from '../lib/preact.js'
import { Badge } from './badge.tsx'
import { Name, poolPath } from './name.tsx'
import type { Column } from './table.tsx'
import { Time } from './time.tsx'

export interface PoolHost {
  readonly host: string
  readonly region: string
  readonly places: readonly PoolPlaceJson[]
}

/** The hosts that have places of a pool, with these. */
export function hostsOf({ places }: PoolJson): readonly PoolHost[] {
  const hosts = new Map<string, PoolHost & { places: PoolPlaceJson[] }>()
  for (const place of places) {
    const { host, region } = place
    const known = hosts.get(host) ?? { host, region, places: [] }
    known.places.push(place)
    hosts.set(host, known)
  }
  return [...hosts.values()].toSorted((a, b) => (a.host < b.host ? -1 : 1))
}

export function isUnderway(rollout: RolloutJson | undefined): boolean {
  return rollout?.state === 'rolling' || rollout?.state === 'rolling-back'
}

/** How many places work, of how many there shall be. */
export function Working({ pool: { working, instances } }: { readonly pool: PoolJson }): VNode {
  return (
    <span class={working < instances ? 'warn' : ''}>
      {working} of {instances}
    </span>
  )
}

/** What is deployed, or was last: how far it is, or how it ended. */
export function RolloutWords({ pool }: { readonly pool: PoolJson }): VNode {
  const { rollout, places, release } = pool
  if (rollout === undefined) return <span class="quiet">none yet</span>
  const { state, from, to, endedAt } = rollout
  // While it is taken back the pool itself is what it was again.
  const wanted = state === 'rolling-back' ? from : to
  const has = places.filter((one) => one.release === wanted && one.state === 'works').length
  return (
    <span>
      <Badge state={state} /> {from ?? 'its folder'} → {to ?? 'its folder'}{' '}
      {isUnderway(rollout) ? (
        <span class="quiet">
          <progress max={places.length} value={has} aria-label={`${has} of ${places.length} places`} /> {has}{' '}
          of {places.length} have {wanted ?? release ?? 'it'}
        </span>
      ) : (
        endedAt !== undefined && <Time at={endedAt} isShort />
      )}
    </span>
  )
}

/** @param buttons undefined where whoever looks may not */
export function poolColumns(
  buttons: ((pool: PoolJson) => VNode | null) | undefined,
): readonly Column<PoolJson>[] {
  return [
    {
      title: 'Pool',
      kind: 'main',
      cell: ({ name }) => <Name href={poolPath(name)} text={name} />,
    },
    { title: 'Work', kind: 'number', cell: (pool) => <Working pool={pool} /> },
    { title: 'Hosts', kind: 'wide', cell: hostWords },
    { title: 'Workers', kind: 'minor', cell: ({ workers }) => workers?.join(', ') ?? 'all' },
    { title: 'Release', cell: ({ release }) => release ?? 'its folder' },
    { title: 'Last deploy', kind: 'wide', cell: (pool) => <RolloutWords pool={pool} /> },
    ...(buttons ? [{ title: '', kind: 'do' as const, cell: buttons }] : []),
  ]
}

/** @example 'eu-a 3 of 3, eu-b 2 of 3, 1 has no place' */
function hostWords(pool: PoolJson): string {
  const hosts = hostsOf(pool).map(({ host, places }) => `${host || 'a lost host'} ${workingOf(places)}`)
  return [...hosts, ...(pool.missing > 0 ? [`${pool.missing} nowhere: no host has room`] : [])].join(', ')
}

/** @example '2 of 3' */
export function workingOf(places: readonly PoolPlaceJson[]): string {
  return `${places.filter(({ state }) => state === 'works').length} of ${places.length}`
}

export const SUPERVISOR_COLUMNS: readonly Column<PoolSupervisorJson>[] = [
  {
    title: 'Host',
    kind: 'main',
    cell: ({ host }) => <Name href={`/fleet?host=${encodeURIComponent(host)}`} text={host} />,
  },
  { title: 'Region', cell: ({ region }) => region },
  { title: 'State', cell: ({ isLost }) => <Badge state={isLost ? 'lost' : 'there'} /> },
  { title: 'Places', kind: 'number', cell: ({ places, most }) => `${places} of ${most}` },
  {
    title: 'Releases',
    kind: 'wide',
    cell: ({ releases }) => releases?.join(', ') ?? 'none: it runs what is in its folder',
  },
]

export const PLACE_COLUMNS: readonly Column<PoolPlaceJson>[] = [
  { title: 'Place', kind: 'main', cell: ({ place }) => <span class="name">{place}</span> },
  { title: 'State', cell: ({ state }) => <Badge state={state} /> },
  { title: 'Host', cell: ({ host }) => <a href={`/fleet?host=${encodeURIComponent(host)}`}>{host}</a> },
  { title: 'Region', kind: 'minor', cell: ({ region }) => region },
  { title: 'Release', cell: ({ release }) => release ?? 'its folder' },
  { title: 'Why', kind: 'wide', cell: ({ why }) => why ?? '' },
  { title: 'Since', cell: ({ since }) => <Time at={since} /> },
]
