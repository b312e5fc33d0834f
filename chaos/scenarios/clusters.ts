import { CLUSTER_NODE, formCluster, redisCli, startPair } from '../../test/support/redis-forms.ts'
import { names, playRound, startLoad, untilPlayed, untilTold } from '../load.ts'
import type { Scenario } from '../scenario.ts'
import type { World } from '../world.ts'

/** More than one Redis. */
export const CLUSTERS: readonly Scenario[] = [
  {
    name: 'cluster-node-killed',
    proves:
      'a Cluster of three whose nodes are killed and restarted, one after the other: nothing acknowledged is lost',
    async run(world) {
      const nodes = await Promise.all([1, 2, 3].map(() => world.redis({ aof: 'always', args: CLUSTER_NODE })))
      const addresses = await formCluster(nodes.map(({ port }) => port))
      const info = () => redisCli(['-p', String(nodes[0]?.port), 'cluster', 'info'])
      const facades = await world.facadesOn(2, `redis+cluster://${addresses}`)
      // Each system is in a slot of its own, so some are on each node.
      const systems = names('system', 6)
      const loads = systems.map((system) => startLoad(world, facades, { lanes: 1, system }))
      for (const node of nodes) {
        await Promise.all(loads.map((load) => untilPlayed(world, load, 5)))
        world.fault('SIGKILL of a cluster node')
        await node.kill()
        await world.pause(300)
        await node.restart()
        await world.until(
          async () => (await info()).includes('cluster_state:ok'),
          'the cluster is whole',
          30_000,
        )
      }
      await Promise.all(loads.map((load) => untilPlayed(world, load, 5)))
      await Promise.all(loads.map((load) => load.stop()))
      // The board's queue is on one node, which need not be the first.
      world.looksAtBoard = false
    },
  },
  {
    name: 'sentinel-failover',
    proves: 'a Sentinel failover to a replica that has not heard of the last rounds: they are led twice',
    breaks: ['one-leader', 'fences-grow'],
    async run(world) {
      const { primary, cutOff, failedOver, url } = await pairIn(world)
      const facade = await world.facade(url)
      for (const round of names('early', 10)) await playRound(world, [facade], round)
      await cutOff()
      world.isStoreLost = true
      for (const round of names('late', 10)) await world.to(facade).elect(round, { token: `${round}-first` })
      world.fault('SIGKILL of the primary')
      await primary.kill()
      await failedOver()
      await facade.kill()
      const other = await world.facade(url)
      for (const round of names('late', 10))
        await world.to(other).electUntilTold(round, { token: `${round}-second` })
      world.looksAtBoard = false
    },
  },
  {
    name: 'sentinel-with-gate',
    proves: 'the same failover behind a gate of three independent nodes: no round is led twice',
    async run(world) {
      const { primary, cutOff, failedOver, url } = await pairIn(world)
      const nodes = await Promise.all([1, 2, 3].map(() => world.redis({ aof: 'always' })))
      const env = { GATE_REDIS_URLS: nodes.map((node) => node.url).join(',') }
      const facade = await world.facade(url, { env })
      await cutOff()
      world.isStoreLost = true
      const late = names('late', 10)
      for (const round of late) await world.to(facade).elect(round, { token: `${round}-first` })
      world.fault('SIGKILL of the primary')
      await primary.kill()
      await failedOver()
      await facade.kill()
      const other = await world.facade(url, { env })
      for (const round of late) {
        const told = await world.to(other).electUntilTold(round, { token: `${round}-second` })
        world.claim(told.status === 204, `${round}: a second candidate was answered ${told.status}`)
        await untilTold(world, [other], 'complete', round, { token: `${round}-first` })
      }
      world.looksAtBoard = false
      world.checkOptions = { recordsAreLost: true }
    },
  },
]

async function pairIn(world: World) {
  const pair = await startPair((args) => world.redis({ aof: 'always', args }))
  world.onEnd(pair.stop)
  const cutOff = async () => {
    world.fault('the replica is cut off from the primary')
    await pair.cutOff()
  }
  return { ...pair, cutOff }
}
