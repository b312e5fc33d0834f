import type { Random } from '../random.ts'

const HOUR_MS = 3_600_000

/** On what stage a segment is played. */
export interface FleetSetting {
  readonly aof: 'always' | 'everysec'
  readonly hosts: readonly {
    readonly name: string
    readonly clockOffsetMs: number
    /** Missing: in none. */
    readonly region?: string
  }[]
  /** Jobs. */
  readonly perSecond: number
}

export function drawFleetSetting(random: Random): FleetSetting {
  const areRight = random.chance(0.5)
  const isRegional = random.chance(0.5)
  const regions = { a: 'eu', b: 'eu', c: 'us' }
  const clock = () => (areRight ? 0 : random.pick([-HOUR_MS, 0, HOUR_MS]))
  return {
    aof: random.pick(['always', 'everysec']),
    hosts: Object.entries(regions).map(([name, region]) => {
      return { name, clockOffsetMs: clock(), ...(isRegional && { region }) }
    }),
    perSecond: 200,
  }
}

/** One line for whoever reads the result. */
export function sayOf({ aof, hosts, perSecond }: FleetSetting): string {
  const offs = hosts.map(({ clockOffsetMs }) => clockOffsetMs / HOUR_MS)
  const clocks = offs.every((off) => off === 0)
    ? 'right clocks'
    : `clocks of hosts off by ${offs.join(', ')} h`
  const regions = hosts[0]?.region === undefined ? 'no regions' : 'two regions'
  return `${perSecond} jobs/s, appendfsync ${aof}, ${clocks}, ${regions}`
}
