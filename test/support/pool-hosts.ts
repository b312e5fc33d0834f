import { setTimeout as sleep } from 'node:timers/promises'
import { type PlaceReport, type PoolPlace, placeName } from '../../src/core/fleet/pool.ts'
import { connect, disconnect } from '../../src/redis/connections.ts'
import { RedisPools } from '../../src/store/pools/redis-pools.ts'
import { silentLog } from './log.ts'

const LEASE_MS = 60_000
const EVERY_MS = 200

interface PoolHostParts {
  readonly host: string
  readonly region: string
  readonly releases: readonly string[]
  /** How what it has is; default: it works. */
  readonly reportOf?: (place: PoolPlace) => Omit<PlaceReport, 'epoch'>
}

export interface PoolHost {
  stop(): Promise<void>
}

/** A host that takes places of pools, and says of each how it is without running anything there. */
export function startPoolHost(redisUrl: string, parts: PoolHostParts): PoolHost {
  const { host, region, releases, reportOf = () => ({ state: 'works' }) } = parts
  const client = connect(redisUrl, 'commands', `pool-host-${host}`, silentLog)
  const pools = new RedisPools(client)
  const supervisor = { id: `host-${host}`, host, region, most: 8, workers: [], releases }
  let isOver = false
  const turn = async () => {
    const { places } = await pools.read()
    const own = places.filter((place) => place.supervisor === supervisor.id)
    const reports = Object.fromEntries(
      own.map((place) => [placeName(place), { epoch: place.epoch, ...reportOf(place) }]),
    )
    await pools.attend({ supervisor, reports }, LEASE_MS)
  }
  const run = async () => {
    while (!isOver) {
      // What Redis does not answer is said the next time.
      await turn().catch(() => {})
      await sleep(EVERY_MS)
    }
  }
  const running = run()
  return {
    async stop() {
      isOver = true
      await running
      await disconnect(client)
    },
  }
}
