import type { PoolJson } from '../../core/fleet/pool-wire.ts'
import { visible } from '../../core/printable.ts'
import type { Colors } from '../terminal.ts'
import { detailsOf, tableOf } from '../text/table.ts'

export function poolTable(pools: readonly PoolJson[], colors: Colors): string {
  const rows = pools.map(({ name, instances, working, release = '', workers, region, host, rollout }) => [
    name,
    working < instances ? colors.yellow(`${working} of ${instances}`) : `${working} of ${instances}`,
    workers?.join(' ') ?? 'all',
    [region, host].filter(Boolean).join(' ') || 'anywhere',
    release,
    rollout === undefined || rollout.state === 'done' ? '' : rollout.state,
  ])
  return tableOf(['pool', 'work', 'workers', 'where', 'release', 'rollout'], rows, { colors })
}

export function poolText(pool: PoolJson, colors: Colors): string {
  const { name, instances, working, missing, release, before, rollout, actor, at, reason, places } = pool
  const ran = rollout && `${rollout.from ?? 'its folder'} -> ${rollout.to ?? 'its folder'}: ${rollout.state}`
  const rows: (readonly [string, string])[] = [
    ['instances', `${working} of ${instances} work${missing > 0 ? `, ${missing} have no place` : ''}`],
    ['release', release ?? 'what is in the folders'],
    ...(before.length > 0 ? [['before', before.join(' ')] as const] : []),
    ...(ran ? [['rollout', rollout.why ? visible(`${ran}, ${rollout.why}`) : ran] as const] : []),
    ['set', visible(`${at} by ${actor}${reason && `: ${reason}`}`)],
  ]
  const table = tableOf(
    ['place', 'host', 'region', 'release', 'state'],
    places.map(({ place, host, region, release = '', state, why }) => [
      place,
      host,
      region,
      release,
      why === undefined ? state : visible(`${state}: ${why}`),
    ]),
    { colors },
  )
  return places.length === 0 ? detailsOf(name, rows, colors) : `${detailsOf(name, rows, colors)}\n\n${table}`
}
