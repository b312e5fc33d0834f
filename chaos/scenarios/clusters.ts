import { Redis } from 'ioredis'
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
      world.clusterPorts = nodes.map(({ port }) => port)
      const addresses = await formCluster(world.clusterPorts)
      const info = () => redisCli(['-p', String(nodes[0]?.port), 'cluster', 'info'])
      const url = `redis+cluster://${addresses}`
      const facades = await world.facadesOn(2, url)
      await world.goneWork(url)
      const jobs: string[] = []
      // Each system is in a slot of its own, so some are on each node.
      const systems = names('system', 6)
      const loads = systems.map((system) => startLoad(world, facades, { lanes: 1, system }))
      for (const node of nodes) {
        await Promise.all(loads.map((load) => untilPlayed(world, load, 5)))
        const more = names(`job-${jobs.length}`, 5)
        for (const round of more)
          await untilTold(world, facades, 'submit', round, { body: { worker: 'probe', data: {} } })
        jobs.push(...more)
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
      const hasEnded = (round: string) =>
        world.readEffects().some((effect) => effect.round === round && effect.phase === 'end')
      // BullMQ may need half a minute until it hears of jobs again.
      await world.until(() => jobs.every(hasEnded), 'the worker runs what is submitted', 60_000)
    },
  },
  {
    name: 'slots-move',
    proves:
      'slots of a Cluster move to another node under load, by hand and by redis-cli: fences grow, and no round is lost',
    async run(world) {
      const nodes = await Promise.all([1, 2, 3].map(() => world.redis({ aof: 'always', args: CLUSTER_NODE })))
      const [from = 0, to = 0, third = 0] = nodes.map(({ port }) => port)
      world.clusterPorts = [from, to, third]
      const addresses = await formCluster([from, to, third])
      const facades = await world.facadesOn(2, `redis+cluster://${addresses}`)
      const systems = await systemsBelow(from, MOVED_SLOTS, 4)
      const loads = systems.map(({ system }) => startLoad(world, facades, { lanes: 1, system }))
      const playMore = () => Promise.all(loads.map((load) => untilPlayed(world, load, 10)))
      await playMore()
      const byHand = systems[0]?.slot ?? 0
      const [fromId, toId] = await Promise.all([from, to].map(idOf))
      world.fault(`slot ${byHand} moves by hand`)
      await on(to, 'cluster', 'setslot', byHand, 'importing', fromId ?? '')
      await on(from, 'cluster', 'setslot', byHand, 'migrating', toId ?? '')
      // The others go on; who asks for a round of this slot is told to retry.
      await world.pause(1_000)
      const stuck = await moveKeys(from, to, byHand)
      world.claim(stuck === undefined, `slot ${byHand} could not be moved: ${stuck}`)
      for (const port of [to, from, third]) await on(port, 'cluster', 'setslot', byHand, 'node', toId ?? '')
      await playMore()
      world.fault(`${MOVED_SLOTS} slots move by redis-cli`)
      const ends = ['--cluster-from', fromId ?? '', '--cluster-to', toId ?? '', '--cluster-yes']
      const slots = ['--cluster-slots', String(MOVED_SLOTS)]
      const resharded = await redisCli(['--cluster', 'reshard', `127.0.0.1:${from}`, ...slots, ...ends]).then(
        () => true,
        () => false,
      )
      world.claim(resharded, `redis-cli could not move ${MOVED_SLOTS} slots`)
      await playMore()
      await Promise.all(loads.map((load) => load.stop()))
      for (const { slot } of systems) {
        const left = await on(from, 'cluster', 'countkeysinslot', slot)
        world.claim(left.trim() === '0', `slot ${slot} has keys left where it was: ${left}`)
      }
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
    name: 'primary-stopped',
    proves:
      'after a failover from a primary that is stopped, not dead, facades and workers go on, and nothing is acknowledged at the old one when it is back',
    async run(world) {
      const { primary, replica, failedOver, url } = await pairIn(world)
      const facade = await world.facade(url)
      await world.goneWork(url)
      for (const round of names('early', 5)) await playRound(world, [facade], round)
      world.fault('SIGSTOP of the primary')
      primary.pause()
      await failedOver()
      let isThere = false
      await world.until(async () => {
        isThere = (await on(replica.port, 'client', 'list')).includes('name=gone-records')
        return isThere
      }, 'the facade is at the new primary')
      if (!isThere) {
        primary.resume()
        world.looksAtBoard = false
        return
      }
      const jobs = names('job', 60)
      for (const round of jobs)
        await untilTold(world, [facade], 'submit', round, { body: { worker: 'probe', data: {} } })
      const hasEnded = (round: string) =>
        world.readEffects().some((effect) => effect.round === round && effect.phase === 'end')
      await world.until(() => jobs.every(hasEnded), 'the worker runs what is submitted', 20_000)
      world.fault('SIGCONT of the old primary')
      primary.resume()
      for (const round of names('late', 40)) await playRound(world, [facade], round)
      await world.until(
        // It cuts who asks when it becomes a replica.
        async () => (await on(primary.port, 'role').catch(() => '')).startsWith('slave'),
        'the old primary follows the new one',
        60_000,
      )
      // The board is on the Redis that was started first.
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

/** The first node of three has the slots from 0 on. */
const MOVED_SLOTS = 100

const on = (port: number, ...args: (string | number)[]) => redisCli(['-p', port, ...args].map(String))
const idOf = async (port: number) => (await on(port, 'cluster', 'myid')).trim()

/** Systems whose keys are in the first slots, each in another. */
async function systemsBelow(port: number, end: number, count: number) {
  const client = new Redis(port)
  const found = new Map<number, string>()
  for (let n = 0; found.size < count; n += 1) {
    const slot = Number(await client.cluster('KEYSLOT', `{system-${n}}`))
    if (slot < end) found.set(slot, `system-${n}`)
  }
  client.disconnect()
  return [...found].map(([slot, system]) => ({ slot, system }))
}

/** @returns why they could not be moved; undefined if they were */
async function moveKeys(from: number, to: number, slot: number): Promise<string | undefined> {
  for (;;) {
    const keys = (await on(from, 'cluster', 'getkeysinslot', slot, 100))
      .split('\n')
      .filter((key) => key !== '')
    if (keys.length === 0) return undefined
    const said = await on(from, 'migrate', '127.0.0.1', to, '', 0, 5_000, 'keys', ...keys)
    if (!/^(OK|NOKEY)/.test(said)) return said.trim()
  }
}

async function pairIn(world: World) {
  const pair = await startPair((args) => world.redis({ aof: 'always', args }))
  world.onEnd(pair.stop)
  const cutOff = async () => {
    world.fault('the replica is cut off from the primary')
    await pair.cutOff()
  }
  return { ...pair, cutOff }
}
