import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Process } from '../../test/support/processes.ts'
import { names } from '../load.ts'
import type { Scenario } from '../scenario.ts'
import type { World } from '../world.ts'

/** What people may do to the folder of an embedded Redis. */
export const EMBEDDED: readonly Scenario[] = [
  {
    name: 'lock-removed',
    proves:
      'no second facade starts on a data folder whose lock was removed under the first, so each round is led once',
    isShort: true,
    async run(world) {
      const first = await embedded(world)
      world.fault('the lock of the data folder is removed')
      await rm(join(world.folder, 'data/redis.lock'))
      const second = await embedded(world).catch(() => undefined)
      world.claim(second === undefined, 'a second facade started on the same data folder')
      await raceOn(world, second === undefined ? [first] : [first, second])
    },
  },
  {
    name: 'folder-removed',
    proves: 'a facade whose data folder was removed ends before another can lead its rounds in its place',
    isShort: true,
    async run(world) {
      const first = await embedded(world)
      world.fault('the data folder is removed')
      await rm(join(world.folder, 'data'), { recursive: true })
      const second = await embedded(world)
      await raceOn(world, [first, second])
      await world.until(() => !first.isAlive, 'the facade without a data folder ends')
    },
  },
]

function embedded(world: World): Promise<Process> {
  return world.facade('', { env: { GONE_DATA_DIR: join(world.folder, 'data') } })
}

/** Asks each facade for each round, and none again that gave no answer: it may have ended. */
async function raceOn(world: World, facades: readonly Process[]): Promise<void> {
  for (const round of names('round', 20)) {
    await Promise.all(
      facades.map((facade) => world.to(facade).elect(round, { token: `${round}-${facade.pid}` })),
    )
  }
}
