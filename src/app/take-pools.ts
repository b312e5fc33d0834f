import type { Logger } from 'pino'
import type { PoolSupervisor, Runs } from '../core/fleet/pool.ts'
import { PoolPlaces, type PoolPlacesParts } from '../service/fleet/pool-places.ts'
import { RedisPools } from '../store/pools/redis-pools.ts'
import { nowMs } from './assembly.ts'
import type { Closing } from './closing.ts'
import type { Lines } from './lines.ts'
import { Listing } from './listing.ts'
import { type ReleasesFolder, releasesIn } from './releases.ts'
import { type SpawnTerms, spawnInstance } from './spawn-instance.ts'

/** What a supervisor takes of the pools. */
export interface PoolsTaken {
  /** How many places. */
  readonly most: number
  /** Missing: it runs what is in its folder. */
  readonly releases?: ReleasesFolder
}

interface TakePoolsParts extends Pick<PoolPlacesParts, 'id' | 'supervisor' | 'pokes'> {
  readonly spawn: SpawnTerms
  /** Told what is started in a place. */
  readonly onStart: (place: string, runs: Runs) => void
  readonly labels: Pick<PoolSupervisor, 'host' | 'region' | 'workers'>
  readonly pools: PoolsTaken
  readonly lines: Lines
  readonly closing: Closing
  readonly log: Logger
}

/** Has a supervisor take places of pools. */
export function takePools(all: TakePoolsParts): void {
  const { labels, pools, lines, closing, spawn, onStart, ...parts } = all
  const { log } = parts
  const { most, releases } = pools
  const { host, region, workers } = labels
  const listing = releases && new Listing((named) => releasesIn(releases, named), log, nowMs)
  const places = new PoolPlaces({
    ...parts,
    pools: new RedisPools(lines.commands),
    startInstance(place, runs, listener) {
      onStart(place, runs)
      return spawnInstance(spawn, { place, name: place, runs, listener })
    },
    async facts(named) {
      return { host, region, most, workers, ...(listing && { releases: await listing.now(named) }) }
    },
    nowMs,
  })
  closing.add('work', () => places.stop())
  places.start()
}
