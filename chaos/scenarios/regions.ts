import { createClient } from '../../src/client/client.ts'
import { names } from '../load.ts'
import type { Scenario } from '../scenario.ts'

/** A host that is killed is lost within 12 s; 15 s later what waited there is anybody's, looked at every five. */
const MOVED_WITHIN_MS = 40_000

/** What submissions may suffer that name a region. */
export const REGIONS: readonly Scenario[] = [
  {
    name: 'region-left',
    proves:
      'what names a region is run there alone while it is served; where its last worker is killed what waited and what it ran is run elsewhere within 40 s, under higher fences',
    async run(world) {
      const redis = await world.redis({ aof: 'always' })
      const facade = await world.facade(redis)
      const { fleet } = createClient({ url: facade.url })
      const [eu, us] = await Promise.all(
        ['eu', 'us'].map((region) => world.worker(redis, { env: { GONE_REGION: region } })),
      )
      const isThere = async () => (await fleet.instances({ state: 'registered' })).length === 2
      await world.until(isThere, 'both are registered')
      // Facades look who is there once a second.
      await world.pause(1_500)
      const rounds = names('round', 50)
      for (const round of rounds) await world.submit(facade, round, { sleepMs: 2_000 }, { region: 'eu' })
      const starts = () => world.readEffects().filter(({ phase }) => phase === 'start')
      await world.until(() => starts().length >= 20, 'as many run as there is room for')
      const elsewhere = starts().filter(({ pid }) => pid === us?.pid).length
      world.claim(elsewhere === 0, `${elsewhere} rounds of eu were begun in us`)
      world.fault('SIGKILL of the only worker of the region')
      await eu?.kill()
      const ended = () =>
        new Set(
          world
            .readEffects()
            .filter(({ phase }) => phase === 'end')
            .map(({ round }) => round),
        ).size
      await world.until(() => ended() === rounds.length, 'all rounds have ended', MOVED_WITHIN_MS)
    },
  },
]
