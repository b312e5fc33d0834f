import { execFile, spawn } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { freeLoopbackPort } from '../../src/redis/child.ts'
import { defaultCacheDir, findRedisServer } from '../../src/redis/redis-server.ts'
import { names, playRound, startLoad, untilPlayed, untilTold } from '../load.ts'
import type { Scenario } from '../scenario.ts'
import type { World } from '../world.ts'
import { adminOf } from './redis.ts'

const run = promisify(execFile)

/** More than one Redis. */
export const CLUSTERS: readonly Scenario[] = [
  {
    name: 'cluster-node-killed',
    proves:
      'a Cluster of three whose nodes are killed and restarted, one after the other: nothing acknowledged is lost',
    async run(world) {
      const args = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '1500']
      const nodes = await Promise.all([1, 2, 3].map(() => world.redis({ aof: 'always', args })))
      const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`)
      await redisCli(['--cluster', 'create', ...addresses, '--cluster-yes'])
      const info = () => redisCli(['-p', String(nodes[0]?.port), 'cluster', 'info'])
      await world.until(
        async () => (await info()).includes('cluster_state:ok'),
        'the cluster is formed',
        30_000,
      )
      const facades = await world.facadesOn(2, `redis+cluster://${addresses.join(',')}`)
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
      const { primary, replica, cutOff, url } = await startSentinel(world)
      const facade = await world.facade(url)
      for (const round of names('early', 10)) await playRound(world, [facade], round)
      await cutOff()
      world.isStoreLost = true
      for (const round of names('late', 10)) await world.to(facade).elect(round, { token: `${round}-first` })
      world.fault('SIGKILL of the primary')
      await primary.kill()
      const role = () => redisCli(['-p', String(replica.port), 'role']).catch(() => '')
      await world.until(async () => (await role()).startsWith('master'), 'the replica is the primary', 30_000)
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
      const { primary, replica, cutOff, url } = await startSentinel(world)
      const nodes = await Promise.all([1, 2, 3].map(() => world.redis({ aof: 'always' })))
      const env = { GATE_REDIS_URLS: nodes.map((node) => node.url).join(',') }
      const facade = await world.facade(url, { env })
      await cutOff()
      world.isStoreLost = true
      const late = names('late', 10)
      for (const round of late) await world.to(facade).elect(round, { token: `${round}-first` })
      world.fault('SIGKILL of the primary')
      await primary.kill()
      const role = () => redisCli(['-p', String(replica.port), 'role']).catch(() => '')
      await world.until(async () => (await role()).startsWith('master'), 'the replica is the primary', 30_000)
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

async function startSentinel(world: World) {
  const primary = await world.redis({ aof: 'always' })
  const admin = adminOf(world, primary)
  await admin.call('ACL', 'SETUSER', 'follower', 'on', '>follow', '~*', '&*', '+@all')
  const follow = ['--masteruser', 'follower', '--masterauth', 'follow']
  const replica = await world.redis({ args: ['--replicaof', '127.0.0.1', String(primary.port), ...follow] })
  /** The replica hears nothing more; everybody else does. */
  const cutOff = async () => {
    world.fault('the replica is cut off from the primary')
    await admin.call('ACL', 'SETUSER', 'follower', 'off')
    await admin.call('CLIENT', 'KILL', 'TYPE', 'replica')
  }
  const port = await freeLoopbackPort()
  const file = join(primary.dir, 'sentinel.conf')
  await writeFile(
    file,
    [
      `port ${port}`,
      'bind 127.0.0.1',
      `sentinel monitor rounds 127.0.0.1 ${primary.port} 1`,
      'sentinel down-after-milliseconds rounds 1000',
      'sentinel failover-timeout rounds 5000',
      '',
    ].join('\n'),
  )
  const { path, env } = await binary()
  const sentinel = spawn(path, [file, '--sentinel'], { env: { ...process.env, ...env }, stdio: 'ignore' })
  world.onEnd(() => sentinel.kill('SIGKILL'))
  const known = () => redisCli(['-p', String(port), 'sentinel', 'replicas', 'rounds']).catch(() => '')
  await world.until(
    async () => (await known()).includes(String(replica.port)),
    'the sentinel knows the replica',
    20_000,
  )
  return { primary, replica, cutOff, url: `redis+sentinel://127.0.0.1:${port}/rounds` }
}

function binary() {
  return findRedisServer({
    cacheDir: defaultCacheDir(process.env, homedir()),
    env: process.env,
    say: () => {},
  })
}

async function redisCli(args: string[]): Promise<string> {
  const { path, env } = await binary()
  const { stdout } = await run(join(dirname(path), 'redis-cli'), args, { env: { ...process.env, ...env } })
  return stdout
}
