import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { createClient } from '../../src/client/client.ts'
import type { PoolJson } from '../../src/core/fleet/pool-wire.ts'
import { names } from '../load.ts'
import type { Scenario } from '../scenario.ts'
import type { World } from '../world.ts'

const MOVED_WITHIN_MS = 20_000
const BACK_WITHIN_MS = 60_000
const ROLLED_BACK_WITHIN_MS = 60_000

/** What pools, their places and their releases may suffer. */
export const POOLS: readonly Scenario[] = [
  {
    name: 'places-move',
    proves:
      'places of a pool stay where they are when Redis was away, also those of a host that comes back 4 s after it, run elsewhere within 20 s where their host is cut off, and come back with never fewer instances; no job is done twice',
    async run(world) {
      const redis = await world.redis({ aof: 'always' })
      const facade = await world.facade(redis)
      const { fleet } = createClient({ url: facade.url })
      const wire = await world.proxy(redis.port)
      await world.poolHost(redis, 'a', { most: 4 })
      await world.poolHost({ url: wire.redisUrl }, 'b', { most: 4 })
      await fleet.pools.put('probes', { instances: 4, workers: ['probe'] })
      const pool = async () => fleet.pools.get('probes').catch(() => undefined)
      const isOn = (hosts: string) => async () => isAt(await pool(), hosts)
      await world.until(isOn('a a b b'), 'two places are on each host', 30_000)
      const before = placesOf(await pool())

      world.fault('SIGKILL of Redis, for 20 s, and a host that comes back 4 s after it')
      await redis.kill()
      wire.refuse()
      await world.pause(20_000)
      await redis.restart()
      await world.pause(4_000)
      wire.heal()
      await world.until(async () => (await pool())?.working === 4, 'all are there again')
      // As long as places would need to be given to others.
      await world.pause(4_000)
      world.claim(placesOf(await pool()) === before, 'places have moved because Redis was away')

      const rounds = names('round', 20)
      for (const round of rounds) await world.submit(facade, round, { sleepMs: 3_000 })
      await world.until(() => startsOf(world) >= rounds.length, 'all rounds have begun', 30_000)
      world.fault('host b is cut off')
      wire.refuse()
      await world.until(isOn('a a a a'), 'its places are on the other', MOVED_WITHIN_MS)
      await world.until(() => endsOf(world, rounds), 'all rounds have ended', 60_000)
      wire.heal()
      let fewest = 4
      const isBack = async () => {
        const all = await fleet.instances({ worker: 'probe', state: 'registered' })
        fewest = Math.min(fewest, all.length)
        return isAt(await pool(), 'a a b b')
      }
      await world.until(isBack, 'two places are on each host again', BACK_WITHIN_MS)
      world.claim(fewest === 4, `${fewest} instances were registered while places came back`)
      const isOver = async () =>
        (await fleet.instances({ worker: 'probe', state: 'registered' })).length === 4
      await world.until(isOver, 'what was too many has ended', BACK_WITHIN_MS)
    },
  },
  {
    name: 'bad-release',
    proves:
      'a release whose instances die 3 s after they begin gets one place of three, and is rolled back within 60 s under load: never fewer instances than before, no job done twice',
    async run(world) {
      const redis = await world.redis()
      const facade = await world.facade(redis)
      const { fleet } = createClient({ url: facade.url })
      const releases = join(world.folder, 'releases')
      putRelease(world, releases, '41', '')
      putRelease(world, releases, '42', 'setTimeout(() => process.exit(7), 3_000)\n')
      for (const host of ['a', 'b']) await world.poolHost(redis, host, { most: 4, releases })
      await fleet.pools.put('probes', { instances: 3, workers: ['probe'], release: '41' })
      const pool = async () => fleet.pools.get('probes').catch(() => undefined)
      await world.until(async () => (await pool())?.working === 3, 'three instances work', 30_000)

      let [submitted, fewest, isDone] = [0, 3, false]
      const load = async () => {
        for (; !isDone; submitted += 1) {
          await world.submit(facade, `round-${submitted}`, { sleepMs: 50 })
          await world.pause(20)
        }
      }
      const tried = new Set<string>()
      const watch = async () => {
        while (!isDone) {
          const all = await fleet.instances({ worker: 'probe', state: 'registered' })
          fewest = Math.min(fewest, all.length)
          for (const { id, release } of all) if (release === '42') tried.add(id)
          await world.pause(50)
        }
      }
      const underway = Promise.all([load(), watch()])
      world.fault('a release is deployed whose instances die')
      await fleet.pools.deploy('probes', '42')
      const isBack = async () => (await pool())?.rollout?.state === 'rolled-back'
      await world.until(isBack, 'it is rolled back', ROLLED_BACK_WITHIN_MS).finally(() => {
        isDone = true
      })
      await underway
      const after = await pool()
      world.claim(after?.places.every(({ release }) => release === '41') === true, 'some run it yet')
      world.claim(tried.size === 1, `${tried.size} instances of it were begun`)
      world.claim(fewest >= 3, `${fewest} instances were registered for a while`)
    },
  },
]

/** The probe as a release of somebody's, with a line of its own. */
function putRelease(world: World, root: string, name: string, line: string): void {
  const probe = pathToFileURL(join(world.root, 'chaos/workers/probe.js')).href
  mkdirSync(join(root, name), { recursive: true })
  writeFileSync(join(root, name, 'probe.mjs'), `export { default } from ${JSON.stringify(probe)}\n${line}`)
}

/** True if its places work on these hosts. */
function isAt(pool: PoolJson | undefined, hosts: string): boolean {
  const working = pool?.places.filter(({ state }) => state === 'works') ?? []
  return (
    working
      .map(({ host }) => host)
      .sort()
      .join(' ') === hosts
  )
}

function placesOf(pool: PoolJson | undefined): string {
  return JSON.stringify(pool?.places.map(({ place, host }) => [place, host]))
}

function startsOf(world: World): number {
  return world.readEffects().filter(({ phase }) => phase === 'start').length
}

function endsOf(world: World, rounds: readonly string[]): boolean {
  const ended = new Set(world.readEffects().flatMap(({ round, phase }) => (phase === 'end' ? [round] : [])))
  return rounds.every((round) => ended.has(round))
}
