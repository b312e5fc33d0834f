import type { Process } from '../../test/support/processes.ts'
import { type LoadOptions, names, startLoad, untilPlayed, untilTold } from '../load.ts'
import type { Scenario } from '../scenario.ts'
import { builtAt, builtCopy, OTHER_BUILD, oldBuild } from '../tree.ts'
import { each, type World } from '../world.ts'

const JOBS = 30

/** Builds that differ, on one Redis. */
export const BUILDS: readonly Scenario[] = [
  {
    name: 'two-builds',
    proves: 'two builds whose scripts differ serve the same rounds side by side',
    async run(world) {
      const redis = await world.redis()
      const other = await builtCopy(world.folder, OTHER_BUILD)
      const facades = [
        ...(await world.facadesOn(1, redis)),
        ...(await world.facadesOn(1, redis, { root: other })),
      ]
      const load = startLoad(world, facades, { candidates: 6 })
      await untilPlayed(world, load, 200)
      await load.stop()
    },
  },
  {
    name: 'old-build',
    proves:
      'an older build beside this one, then a rolling upgrade and back again under load: same rounds, same queue, nothing is lost',
    async run(world) {
      world.checkOptions = { olderBuild: true }
      const old = { root: await builtAt(world.folder, await oldBuild()) }
      const redis = await world.redis({ aof: 'always' })
      const facades = await Promise.all([world.facade(redis), world.facade(redis, old)])
      const workers = await Promise.all([world.worker(redis), world.worker(redis, old)])
      const kinds: readonly LoadOptions[] = [
        { lanes: 2, candidates: 4, system: 'plain' },
        { lanes: 2, leaseMs: 10_000, system: 'leased' },
        { lanes: 1, isAnonymous: true, system: 'anonymous' },
      ]
      const loads = kinds.map((kind) => startLoad(world, facades, { pauseMs: 50, ...kind }))
      const playMore = () => Promise.all(loads.map((load) => untilPlayed(world, load, 20)))
      await runJobs(world, facades, 'beside')
      const ran = new Set(world.readEffects().map(({ pid }) => pid)).size
      world.claim(ran === workers.length, `of ${workers.length} workers of two builds ${ran} ran jobs`)
      await playMore()
      for (const [phase, build] of [
        ['all old', old],
        ['upgraded', {}],
        ['back again', old],
      ] as const) {
        for (const n of facades.keys()) {
          world.fault(`facade and worker ${n} are replaced: ${phase}`)
          await replace(facades, n, () => world.facade(redis, build))
          await replace(workers, n, () => world.worker(redis, build))
          await playMore()
        }
        await runJobs(world, facades, phase.replace(' ', '-'))
      }
      await Promise.all(loads.map((load) => load.stop()))
    },
  },
]

/** As a rolling upgrade does: the new one is there before the other is told to stop. */
async function replace(fleet: Process[], n: number, start: () => Promise<Process>): Promise<void> {
  const before = fleet[n]
  fleet[n] = await start()
  await before?.stop()
}

/** More than one worker takes at once, so that all of them run some. */
async function runJobs(world: World, facades: readonly Process[], name: string): Promise<void> {
  const rounds = names(name, JOBS)
  const body = { worker: 'probe', data: { sleepMs: 500 } }
  await each(
    rounds,
    async (round) => void (await untilTold(world, facades, 'submit', round, { body }, world.random, 'jobs')),
    JOBS,
  )
  await world.until(() => {
    const ended = world.readEffects().filter(({ phase }) => phase === 'end')
    return rounds.every((round) => ended.some((effect) => effect.round === round))
  }, `the jobs of ${name} have run`)
}
