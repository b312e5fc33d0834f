import { appendFile, cp, mkdir, readdir, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import type { Process } from '../../test/support/processes.ts'
import type { TestRedis } from '../../test/support/redis.ts'
import { names, playRound, startLoad, untilPlayed } from '../load.ts'
import type { Scenario } from '../scenario.ts'
import type { SmallDisk } from '../small-disk.ts'
import { lossesSaid, type World } from '../world.ts'

const DISK_MEGABYTES = 8

/** What Redis may do to us. */
export const REDIS: readonly Scenario[] = [
  killUnderLoad('always', true),
  killUnderLoad('everysec'),
  {
    name: 'aof-torn',
    proves:
      'a write that a crash has cut in two is dropped at the next start, and nothing that was acknowledged with it',
    async run(world) {
      const redis = await world.redis({ aof: 'always' })
      const facades = await world.facadesOn(2, redis)
      for (const turn of [1, 2, 3]) {
        const load = startLoad(world, facades, { system: `turn-${turn}` })
        await untilPlayed(world, load, 30)
        world.fault('SIGKILL of Redis, and half a command at the end of its AOF')
        await redis.kill()
        await tearAof(redis.dir)
        await redis.restart()
        await load.stop()
      }
    },
  },
  {
    name: 'redis-rolling',
    proves: 'restarts of Redis, one after the other, delay answers and change none',
    async run(world) {
      const redis = await world.redis()
      const facades = await world.facadesOn(2, redis)
      const load = startLoad(world, facades)
      for (let restart = 0; restart < 5; restart += 1) {
        await untilPlayed(world, load, 40)
        world.fault('restart of Redis')
        await redis.restart()
      }
      await untilPlayed(world, load, 40)
      await load.stop()
    },
  },
  {
    name: 'redis-stopped',
    proves:
      'while Redis hangs callers are told to retry, nobody that it lost; what was sent meanwhile is decided once',
    async run(world) {
      const redis = await world.redis()
      const facades = await world.facadesOn(2, redis)
      const load = startLoad(world, facades, { lanes: 8 })
      for (let turn = 0; turn < 2; turn += 1) {
        await untilPlayed(world, load, 60)
        world.fault('SIGSTOP of Redis for 3 s')
        redis.pause()
        await world.pause(3_000)
        redis.resume()
      }
      await untilPlayed(world, load, 60)
      await load.stop()
    },
  },
  {
    name: 'redis-down',
    proves:
      'who asks once while Redis is down is told that it could not be told, and the round is still to be had',
    isShort: true,
    async run(world) {
      const redis = await world.redis({ aof: 'always' })
      const facades = await world.facadesOn(2, redis)
      world.fault('SIGKILL of Redis')
      await redis.kill()
      await refuseAll(world, facades, names('down', 20), 'while Redis was down')
      await redis.restart()
    },
  },
  {
    name: 'disk-full',
    proves:
      'with the disk of Redis full nobody is told that it lost, and all goes on when there is room again',
    isShort: true,
    async run(world) {
      const disk = await world.smallDisk(
        DISK_MEGABYTES,
        'the next file of the AOF was a link to /dev/full, and only under everysec',
      )
      const redis = await world.redis(disk && { dir: disk.dir, startedOn: disk.startedOn })
      const facades = await world.facadesOn(2, redis)
      for (const round of names('before', 20)) await playRound(world, facades, round)
      const admin = adminOf(world, redis)
      world.fault('the disk of Redis is full')
      await (disk ? disk.fill() : linkAofToFullDevice(admin, redis))
      await world.until(async () => {
        await admin.set('chaos:probe', '1').catch(() => undefined)
        return (await admin.info('persistence')).includes('aof_last_write_status:err')
      }, 'Redis notices that its disk is full')
      await refuseAll(world, facades, names('full', 20), 'with a full disk')
      if (disk) await disk.makeRoom()
      else await world.until(async () => isDone(admin.bgrewriteaof()), 'the AOF is written anew')
      await world.until(
        async () => (await admin.info('persistence')).includes('aof_last_write_status:ok'),
        'Redis writes again',
      )
      if (disk) await fillUnderAlways(world, { redis, disk, facades, admin })
    },
  },
  {
    name: 'memory-full',
    proves:
      'with the memory of Redis full nobody is told that it lost, and all goes on when there is room again',
    isShort: true,
    async run(world) {
      const redis = await world.redis()
      const facades = await world.facadesOn(2, redis)
      for (const round of names('before', 20)) await playRound(world, facades, round)
      const admin = adminOf(world, redis)
      const load = startLoad(world, facades, { lanes: 2 })
      for (let turn = 0; turn < 2; turn += 1) {
        await untilPlayed(world, load, 20)
        world.fault('maxmemory of Redis below what it uses')
        await admin.config('SET', 'maxmemory', '1')
        await refuseAll(world, facades, names(`full-${turn}`, 20), 'without memory')
        await admin.config('SET', 'maxmemory', '0')
      }
      await load.stop()
    },
  },
  {
    name: 'wrong-policy',
    proves:
      'no server starts on a Redis that would evict rounds, and one that runs says that it is not ready',
    isShort: true,
    async run(world) {
      const redis = await world.redis()
      const [facade] = await world.facadesOn(1, redis)
      const admin = adminOf(world, redis)
      world.fault('maxmemory-policy allkeys-lru')
      await admin.config('SET', 'maxmemory-policy', 'allkeys-lru')
      const refusal = await world.facade(redis).then(
        () => '',
        (error: Error) => error.message,
      )
      world.claim(/noeviction/.test(refusal), `a server started on it: ${refusal || 'no complaint'}`)
      const ready = await fetch(`${facade?.url}/readyz`)
      world.claim(ready.status === 503, `the server that runs says ${ready.status}`)
      await admin.config('SET', 'maxmemory-policy', 'noeviction')
    },
  },
  {
    name: 'script-flush',
    proves: 'a Redis that forgets the scripts is told them again, in the middle of elections',
    isShort: true,
    async run(world) {
      const redis = await world.redis()
      const facades = await world.facadesOn(2, redis)
      const admin = adminOf(world, redis)
      const load = startLoad(world, facades)
      for (let flush = 0; flush < 20; flush += 1) {
        await untilPlayed(world, load, 5)
        world.fault('SCRIPT FLUSH')
        await admin.script('FLUSH')
      }
      await load.stop()
    },
  },
]

/** What Redis may lose, and we then with it. */
export const REDIS_LOSES: readonly Scenario[] = [
  {
    name: 'no-aof',
    proves: 'a Redis without an AOF that is killed forgets who leads: rounds are led twice',
    breaks: ['one-leader'],
    isShort: true,
    async run(world) {
      const redis = await world.redis({ aof: 'off' })
      const [facade] = await world.facadesOn(1, redis)
      const rounds = names('round', 20)
      for (const round of rounds) await world.to(facade ?? '').elect(round, { token: `${round}-first` })
      world.fault('SIGKILL of Redis')
      await redis.kill()
      await redis.restart()
      await untilSaid(world, facade)
      // The first server remembers; one that starts now does not.
      const late = await world.facade(redis)
      for (const round of rounds) await world.to(late).electUntilTold(round, { token: `${round}-second` })
    },
  },
  {
    name: 'power-loss-everysec',
    proves:
      'a power loss under everysec takes what was not yet on disk: a round of the last second is led twice',
    breaks: ['one-leader'],
    async run(world) {
      const redis = await world.redis({ aof: 'everysec' })
      const [facade] = await world.facadesOn(1, redis)
      for (const round of names('early', 20)) await world.to(facade ?? '').elect(round, { token: 'first' })
      const onDisk = join(world.folder, 'on-disk')
      await cp(redis.dir, onDisk, { recursive: true })
      await world.to(facade ?? '').elect('last', { token: 'first' })
      world.fault('power loss: the folder is as it was before the last election')
      // It may be less than a server notices, which counts once a second.
      world.isStoreLost = true
      await redis.kill()
      await replaceFolder(onDisk, redis.dir)
      await redis.restart()
      const late = await world.facade(redis)
      await world.to(late).electUntilTold('last', { token: 'second' })
      await world.to(late).electUntilTold('early-0', { token: 'second' })
    },
  },
  {
    name: 'flushall',
    proves:
      'FLUSHALL forgets every round: what is asked afterwards is led anew, the history shows it, and the server says it',
    breaks: ['one-leader', 'never-forgotten'],
    isShort: true,
    async run(world) {
      const redis = await world.redis()
      const facades = await world.facadesOn(1, redis)
      for (const round of names('round', 20)) await playRound(world, facades, round)
      world.fault('FLUSHALL')
      await adminOf(world, redis).flushall()
      await untilSaid(world, facades[0])
      const late = await world.facade(redis)
      for (const round of names('round', 20)) await world.to(late).electUntilTold(round, { token: 'second' })
    },
  },
  {
    name: 'restored-backup',
    proves:
      'a restored backup knows nothing of what came after it: rounds are led twice, under fences given before, and the server says it',
    breaks: ['one-leader', 'fences-grow'],
    async run(world) {
      const redis = await world.redis({ aof: 'always' })
      const facades = await world.facadesOn(1, redis)
      for (const round of names('before', 20)) await playRound(world, facades, round)
      const backup = join(world.folder, 'backup')
      await cp(redis.dir, backup, { recursive: true })
      for (const round of names('after', 20)) await playRound(world, facades, round)
      // A server counts once a second, and has to have counted since the backup.
      await world.pause(2_000)
      world.fault('a backup is restored')
      await redis.kill()
      await replaceFolder(backup, redis.dir)
      await redis.restart()
      await untilSaid(world, facades[0])
      const late = await world.facade(redis)
      for (const round of names('after', 20)) await world.to(late).electUntilTold(round, { token: 'second' })
    },
  },
]

function killUnderLoad(aof: 'always' | 'everysec', isShort?: true): Scenario {
  const when = aof === 'everysec' ? ', when it has written what it said' : ''
  return {
    name: `redis-killed-${aof}`,
    proves: `kill -9 of Redis under load with appendfsync ${aof}${when}: nothing that was acknowledged is lost`,
    ...(isShort && { isShort }),
    async run(world) {
      const redis = await world.redis({ aof })
      const facades = await world.facadesOn(2, redis)
      const admin = adminOf(world, redis)
      const load = startLoad(world, facades, { lanes: 6 })
      for (let kill = 0; kill < 4; kill += 1) {
        await untilPlayed(world, load, world.random.int(10, 40))
        world.fault('SIGKILL of Redis')
        await killWritten(world, { aof, redis, admin })
        await world.pause(world.random.int(0, 400))
        await redis.restart()
      }
      await untilPlayed(world, load, 40)
      await load.stop()
    },
  }
}

/** A Redis that must write before it answers, and cannot, ends. With room again it is started, and knows what it acknowledged. */
async function fillUnderAlways(
  world: World,
  {
    redis,
    disk,
    facades,
    admin,
  }: { redis: TestRedis; disk: SmallDisk; facades: readonly Process[]; admin: Redis },
): Promise<void> {
  await admin.config('SET', 'appendfsync', 'always')
  const load = startLoad(world, facades, { system: 'always' })
  await untilPlayed(world, load, 30)
  world.fault('the disk of Redis is full, with appendfsync always')
  await disk.fill()
  await world.until(() => !isRunning(redis.pid), 'Redis ends')
  await refuseAll(world, facades, names('ended', 20), 'with a Redis that ended')
  await disk.makeRoom()
  await redis.restart()
  await load.stop()
}

async function linkAofToFullDevice(admin: Redis, redis: TestRedis): Promise<void> {
  await symlink('/dev/full', join(redis.dir, 'appendonlydir', 'appendonly.aof.2.incr.aof'))
  await admin.bgrewriteaof()
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

/** Asks once for each round; every answer must be that it could not be told. */
async function refuseAll(
  world: World,
  facades: readonly { readonly url: string }[],
  rounds: readonly string[],
  when: string,
): Promise<void> {
  const answers = await Promise.all(
    rounds.map((round, n) => {
      const caller = world.to(facades[n % facades.length] ?? '')
      return n % 2 ? caller.elect(round) : caller.elect(round, { token: `${round}-asker` })
    }),
  )
  const wrong = answers.filter(({ result }) => result !== 'unknown')
  world.claim(wrong.length === 0, `${wrong.length} elections ${when} were answered ${wrong[0]?.status}`)
}

/** Redis has lost what it acknowledged: a server that ran before says so. */
async function untilSaid(world: World, facade: { readonly url: string } | undefined): Promise<void> {
  world.isStoreLost = true
  await world.until(
    async () => (await lossesSaid(facade?.url ?? '')) > 0,
    'a server that ran before says that Redis has lost what it acknowledged',
    10_000,
  )
}

export function adminOf(world: World, redis: { readonly port: number }): Redis {
  const admin = new Redis(redis.port, { maxRetriesPerRequest: 1 })
  admin.on('error', () => undefined)
  world.onEnd(() => admin.disconnect())
  return admin
}

async function isDone(work: Promise<unknown>): Promise<boolean> {
  return work.then(
    () => true,
    () => false,
  )
}

/**
 * SIGKILL of Redis when what it acknowledged is in the hands of the system. Under `everysec` it answers before it writes for
 * as long as it syncs what it wrote before, up to 2 s: killed then, it loses that.
 */
export async function killWritten(
  world: World,
  { aof, redis, admin }: { aof: 'always' | 'everysec'; redis: TestRedis; admin: Redis },
): Promise<void> {
  if (aof === 'everysec') {
    await admin.call('CLIENT', 'PAUSE', '2000', 'WRITE')
    await world.until(async () => {
      const info = await admin.info('persistence')
      return info.includes('aof_buffer_length:0\r') && info.includes('aof_pending_bio_fsync:0\r')
    }, 'Redis has written what it acknowledged')
  }
  await redis.kill()
}

/** Half a command at the end of its AOF, as a crash in the middle of a write leaves it. */
export async function tearAof(dataFolder: string): Promise<void> {
  const folder = join(dataFolder, 'appendonlydir')
  const files = (await readdir(folder)).filter((name) => name.endsWith('.incr.aof'))
  const numberOf = (name: string) => Number(/\.(\d+)\.incr\.aof$/.exec(name)?.[1])
  const last = files.sort((a, b) => numberOf(a) - numberOf(b)).at(-1) ?? ''
  await appendFile(join(folder, last), '*5\r\n$4\r\nHSET\r\n$32\r\ngone:{chaos}:ro')
}

async function replaceFolder(from: string, to: string): Promise<void> {
  await rm(to, { recursive: true, force: true })
  await mkdir(to, { recursive: true })
  await cp(from, to, { recursive: true })
}
