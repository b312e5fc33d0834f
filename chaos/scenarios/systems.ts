import { connect, disconnect } from '../../src/redis/connections.ts'
import { RedisRecords } from '../../src/store/records/redis-records.ts'
import { names } from '../load.ts'
import type { Scenario } from '../scenario.ts'
import { each, type World } from '../world.ts'

const MANY = 20_000
const FEW = 40
const DEADLINE_MS = 3_000
/** Two looks at all that are in use, and room for a busy machine; who finds them by a walk over all there are needs 35 s. */
const RED_WITHIN_MS = 25_000
const AT_ONCE = 64
const DAY_MS = 86_400_000
const silent = { debug() {}, info() {}, warn() {}, error() {} }

/** What holds however many systems there are. */
export const SYSTEMS: readonly Scenario[] = [
  {
    name: 'many-systems',
    proves:
      'beside 20,000 systems in use, what a dead facade led in some of them turns red, though no other facade has heard of it',
    async run(world) {
      const redis = await world.redis()
      await useMany(world, redis.url)
      const victim = await world.facade(redis)
      const systems = names('late', FEW)
      await each(systems, async (system) => {
        await world.to(victim, system).elect('round', { token: system, deadlineMs: DEADLINE_MS })
      })
      world.fault('the only facade that knows of these rounds is killed')
      await victim.kill()
      const other = await world.facade(redis)
      await world.until(
        async () => (await redsSaid(other.url)) >= FEW,
        'the rounds of a dead facade are red',
        RED_WITHIN_MS,
      )
      for (const system of systems) {
        const { record } = await world.to(other, system).call('round', 'round')
        world.claim(record?.state === 'overdue', `${system}/round is ${record?.state}`)
      }
    },
  },
]

/** A round each that is led, by the store's own steps: no call of a scenario. */
async function useMany(world: World, url: string): Promise<void> {
  const client = connect(url, 'waiting', 'chaos', silent)
  world.onEnd(() => client.disconnect())
  const records = new RedisRecords(client, DAY_MS)
  const who = { address: '10.0.0.7:41234', identity: '~chaos' }
  await each(
    names('many', MANY),
    async (system) => {
      if (!world.isEnded) await records.decide({ system, round: 'round' }, who, { deadlineMs: DAY_MS })
    },
    AT_ONCE,
  )
  await disconnect(client)
}

/** How many rounds a facade counts as overdue: those that were found, not those that a reader can tell by their times. */
async function redsSaid(url: string): Promise<number> {
  const reply = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(5_000) }).catch(() => undefined)
  return Number(/^gone_overdue_rounds (\d+)$/m.exec((await reply?.text()) ?? '')?.[1] ?? 0)
}
