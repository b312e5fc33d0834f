import { ENDINGS } from '../endings.ts'
import { names, untilTold } from '../load.ts'
import type { Scenario } from '../scenario.ts'
import { each, type World } from '../world.ts'
import { adminOf } from './redis.ts'

/** What workers may suffer, and what they may do. */
export const WORKERS: readonly Scenario[] = [
  {
    name: 'fleet',
    proves: 'rounds submitted by five replicas over two facades to two workers run once each',
    isShort: true,
    async run(world) {
      const redis = await world.redis()
      const facades = await world.facadesOn(2, redis)
      await Promise.all([world.goneWork(redis), world.goneWork(redis)])
      const rounds = names('round', 200)
      await each(rounds, async (round) => {
        await Promise.all(
          Array.from({ length: 5 }, (_, n) => world.submit(facades[n % 2] as (typeof facades)[0], round)),
        )
      })
      await whenDone(world, rounds)
      const starts = world.readEffects().filter(({ phase }) => phase === 'start').length
      world.claim(starts === rounds.length, `${rounds.length} rounds were started ${starts} times`)
    },
  },
  diesAt('before', 'another runs the round, under a higher fence'),
  diesAt('after', 'another runs the round again, under a higher fence, and one end counts'),
  {
    name: 'worker-stopped',
    proves:
      'a worker stopped beyond its lock and continued: another has run its rounds, and its own end is refused',
    isShort: true,
    async run(world) {
      const redis = await world.redis()
      const facade = await world.facade(redis)
      const sleeper = await world.worker(redis)
      const rounds = names('round', 5)
      for (const round of rounds) await world.submit(facade, round, { sleepMs: 700 })
      await whenStarted(world, rounds.length)
      world.fault('SIGSTOP of the worker that runs them all')
      sleeper.pause()
      await world.worker(redis)
      await whenEnded(world, rounds.length)
      sleeper.resume()
      await world.pause(1_500)
      const starts = world.readEffects().filter(({ phase }) => phase === 'start').length
      world.claim(starts >= 2 * rounds.length, `${rounds.length} rounds were started ${starts} times`)
    },
  },
  {
    name: 'times-long',
    proves:
      'a worker whose jobs may take two months, under a lock of days, gives them that time and asks Redis no more often',
    isShort: true,
    async run(world) {
      const redis = await world.redis()
      const facade = await world.facade(redis)
      await world.goneWork(redis, { env: { CHAOS_LOCK: '7d', CHAOS_TIMEOUT: '60d' } })
      const rounds = names('round', 5)
      for (const round of rounds) await world.submit(facade, round, { sleepMs: 1_000 })
      await whenEnded(world, rounds.length)
      for (const round of rounds) {
        await world.until(async () => {
          const { record } = await world.to(facade).call('round', round)
          return record?.state === 'completed'
        }, `${round} is completed`)
      }
    },
  },
  {
    name: 'job-outlives-record',
    proves:
      'a job whose record is gone is not run for the submission that comes after it, which is run once, with its own data',
    isShort: true,
    async run(world) {
      const redis = await world.redis()
      const facade = await world.facade(redis)
      const admin = adminOf(world, redis)
      const rounds = names('round', 10)
      const unqueued = 'unqueued.after-submit'
      // Not in the history: nobody is to know of them any more.
      for (const round of [unqueued, ...rounds]) {
        await fetch(`${facade.url}/api/v1/submit/chaos/${round}`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ worker: 'probe', data: { fails: true } }),
        })
      }
      world.fault('the records are gone, as after their retention, and nobody has served the queue')
      for (const round of [unqueued, ...rounds]) await admin.del(`gone:{chaos}:round:${round}`)
      for (const round of rounds) {
        const { status } = await world.submit(facade, round, {})
        world.claim(status === 202, `${round}: submitted anew it was answered ${status}`)
      }
      await facade.stop()
      const victim = await world.facade(redis, { failpoints: 'kill' })
      world.fault(
        'the only facade dies between the record of a submission and the queue, where its earlier job is',
      )
      await world.submit(victim, unqueued, {})
      await victim.ended
      await world.worker(redis)
      // Queued before them, so taken before them.
      await whenEnded(world, rounds.length)
      const next = await world.facade(redis)
      for (const round of [unqueued, ...rounds]) {
        await world.until(async () => {
          const { record } = await world.to(next).call('round', round)
          return record?.state === 'completed'
        }, `${round} is completed, with the data of its own submission`)
        const starts = world
          .readEffects()
          .filter((one) => one.round === round && one.phase === 'start').length
        world.claim(starts === 1, `${round} was started ${starts} times`)
      }
    },
  },
  {
    name: 'worker-once',
    proves:
      'a job that must not run twice is not started again where its worker died, and its round ends failed',
    async run(world) {
      const redis = await world.redis()
      const facade = await world.facade(redis)
      const victim = await world.worker(redis)
      const rounds = names('once', 5)
      for (const round of rounds)
        await world.submit(facade, round, { sleepMs: 5_000 }, { ifExecutorDies: 'fail' })
      await whenStarted(world, rounds.length)
      world.fault('SIGKILL of the worker')
      await victim.kill()
      await world.worker(redis)
      await each(rounds, async (round) => {
        await world.until(
          async () => (await stateOf(world, facade, round)) === 'failed',
          `${round} has failed`,
          20_000,
        )
      })
      const starts = world.readEffects().filter(({ phase }) => phase === 'start').length
      world.claim(
        starts === rounds.length,
        `${rounds.length} jobs that may be started once were started ${starts} times`,
      )
    },
  },
  {
    name: 'job-fails',
    proves: 'a job whose every attempt fails ends failed, with its reason, and is red on the board',
    isShort: true,
    async run(world) {
      const redis = await world.redis()
      const facade = await world.facade(redis)
      await world.worker(redis)
      for (const round of names('fails', 10)) await world.submit(facade, round, { fails: true })
    },
  },
  {
    name: 'handler-ends',
    proves:
      'in whatever way a handler ends, its round ends failed within a second, and has the attempts that it was given',
    isShort: true,
    async run(world) {
      const redis = await world.redis()
      const facade = await world.facade(redis)
      await world.goneWork(redis)
      const ways = Object.keys(ENDINGS)
      const backoff = { type: 'fixed', delay: '50ms' }
      for (const way of ways) await world.submit(facade, way, { ends: way }, { attempts: 3, backoff })
      await each(ways, async (way) => {
        const hasFailed = async () => (await stateOf(world, facade, way)) === 'failed'
        await world.until(hasFailed, `${way} has ended`, 5_000)
      })
      for (const way of ways) {
        const starts = world
          .readEffects()
          .filter(({ round, phase }) => round === way && phase === 'start').length
        world.claim(starts === 3, `${way}: of 3 attempts ${starts} were started`)
      }
    },
  },
  {
    name: 'job-overdue',
    proves: 'a job that hangs beyond its deadline is red and overdue, not invisible',
    async run(world) {
      const redis = await world.redis()
      const facade = await world.facade(redis)
      await world.worker(redis)
      for (const round of names('hangs', 5))
        await world.submit(facade, round, { sleepMs: 60_000 }, { deadline: '2s' })
      await each(names('hangs', 5), async (round) => {
        await world.until(
          async () => (await stateOf(world, facade, round)) === 'overdue',
          `${round} is overdue`,
        )
        await world.until(
          async () => /state="failed"\} [1-9]/.test(await metricsOf(facade)),
          'the board shows red',
        )
      })
      world.looksAtBoard = false
    },
  },
  {
    name: 'jobs-and-redis-killed',
    proves:
      'kill -9 of Redis while jobs are submitted and run: each ends, and what counts is a run that ended',
    async run(world) {
      const redis = await world.redis({ aof: 'always' })
      const facades = await world.facadesOn(2, redis)
      await Promise.all([world.worker(redis), world.worker(redis)])
      const rounds = names('round', 60)
      const submitting = each(
        rounds,
        async (round) => {
          const body = { worker: 'probe', data: { sleepMs: world.random.int(0, 300) } }
          await untilTold(world, facades, 'submit', round, { body })
          await world.pause(world.random.int(0, 200))
        },
        3,
      )
      for (let kill = 0; kill < 2; kill += 1) {
        await world.pause(world.random.int(300, 700))
        world.fault('SIGKILL of Redis')
        await redis.kill()
        await redis.restart()
      }
      await submitting
      await whenDone(world, rounds)
    },
  },
  {
    name: 'jobs-without-memory',
    proves: 'while Redis has no memory left no attempt is spent: jobs that run or wait end afterwards',
    async run(world) {
      const redis = await world.redis()
      const facade = await world.facade(redis)
      const victim = await world.worker(redis)
      const rounds = names('round', 30)
      for (const round of rounds) await world.submit(facade, round, { sleepMs: world.random.int(0, 2_000) })
      await whenStarted(world, 10)
      world.fault('SIGKILL of the worker')
      await victim.kill()
      await world.worker(redis)
      const admin = adminOf(world, redis)
      for (let turn = 0; turn < 2; turn += 1) {
        await world.pause(500)
        world.fault('maxmemory of Redis below what it uses')
        await admin.config('SET', 'maxmemory', '1')
        await world.pause(3_000)
        await admin.config('SET', 'maxmemory', '0')
      }
    },
  },
  {
    name: 'worker-cut',
    proves:
      'connections of a worker to Redis that break again and again as handlers begin and end fail no job that may be started only once',
    isShort: true,
    async run(world) {
      const redis = await world.redis()
      const wire = await world.proxy(redis.port)
      const facade = await world.facade(redis)
      await world.worker(wire.redisUrl)
      const rounds = names('round', 60)
      const submitting = each(
        rounds,
        async (round) => {
          await world.submit(
            facade,
            round,
            { sleepMs: world.random.int(50, 250) },
            { ifExecutorDies: 'fail' },
          )
          await world.pause(world.random.int(0, 150))
        },
        3,
      )
      for (let cut = 0; cut < 8; cut += 1) {
        await world.pause(world.random.int(200, 500))
        world.fault('all connections of the worker to Redis are cut')
        wire.cut()
      }
      await submitting
      for (const round of rounds) {
        let state: string | undefined
        await world.until(async () => {
          state = await stateOf(world, facade, round)
          return state === 'completed' || state === 'failed'
        }, `${round} has ended`)
        world.claim(state === 'completed', `${round}: nothing was done to who ran it, and it is ${state}`)
      }
    },
  },
  {
    name: 'gate-outlived',
    proves:
      'Redis hangs for longer than the gate lasts, under jobs that have one attempt: they are run again, and end',
    async run(world) {
      const redis = await world.redis()
      const facade = await world.facade(redis)
      // BullMQ's own lock outlives the outage, so that nobody else takes the jobs over.
      await world.worker(redis, { env: { CHAOS_LOCK: '30s' } })
      const rounds = names('round', 5)
      for (const round of rounds) await world.submit(facade, round, { sleepMs: 5_000 }, { attempts: 1 })
      await whenStarted(world, rounds.length)
      world.fault('SIGSTOP of Redis for 4 s')
      redis.pause()
      await world.pause(4_000)
      redis.resume()
    },
  },
  {
    name: 'drained-often',
    proves:
      'workers drained 27 times in the middle of one long job cost it time: it is not taken to be what kills them',
    async run(world) {
      const redis = await world.redis()
      const facade = await world.facade(redis)
      await world.submit(facade, 'long', { sleepMs: 2_500 })
      for (let drain = 1; drain <= 27; drain += 1) {
        const worker = await world.worker(redis, { env: { GONE_SHUTDOWN: '500ms' } })
        await whenStarted(world, drain)
        if (drain % 9 === 0) world.fault('SIGTERM of the worker, for the ninth time')
        await worker.stop()
      }
      await world.worker(redis)
      await whenDone(world, ['long'])
    },
  },
  {
    name: 'killer-beside',
    proves:
      'a job that kills its worker at each start takes those beside it along some times, and not to their end',
    async run(world) {
      const redis = await world.redis()
      const facade = await world.facade(redis)
      const innocents = names('innocent', 3)
      for (const round of innocents) await world.submit(facade, round, { sleepMs: 1_500 })
      await world.submit(facade, 'killer', { kills: 12 })
      const hasEnded = (round: string) =>
        world.readEffects().some((effect) => effect.round === round && effect.phase === 'end')
      const areDone = () => [...innocents, 'killer'].every(hasEnded)
      for (let deaths = 0; deaths <= 12 && !areDone(); deaths += 1) {
        const worker = await world.worker(redis)
        while (worker.isAlive && !areDone()) await world.pause(100)
        if (!worker.isAlive) world.fault('a worker is killed by its job')
      }
      for (const innocent of innocents) {
        const starts = world
          .readEffects()
          .filter(({ round, phase }) => round === innocent && phase === 'start').length
        world.claim(starts <= 8, `${innocent} was started ${starts} times beside a job that kills its worker`)
      }
    },
  },
  {
    name: 'breath-held',
    proves:
      'a worker whose process stands still as its jobs begin begins none that another has taken over meanwhile',
    async run(world) {
      const redis = await world.redis()
      const facade = await world.facade(redis)
      const rounds = names('round', 15)
      // In the middle: the starts of those around it have been asked for, and are not answered yet.
      for (const [n, round] of rounds.entries())
        await world.submit(facade, round, n === 7 ? { blocksMs: 8_000 } : { sleepMs: 20 })
      world.fault('the process of a worker stands still for 8 s')
      await world.worker(redis)
      await whenStarted(world, 1)
      await world.worker(redis)
      await whenDone(world, rounds, 40_000)
      await world.pause(3_000)
    },
  },
  {
    name: 'worker-drained',
    proves: 'SIGTERM of a worker: what it runs ends or goes back to the queue, and another goes on',
    async run(world) {
      const redis = await world.redis()
      const facade = await world.facade(redis)
      const first = await world.worker(redis, { env: { GONE_SHUTDOWN: '2s' } })
      const rounds = names('round', 20)
      for (const [n, round] of rounds.entries())
        await world.submit(facade, round, { sleepMs: n % 2 ? 100 : 1_500 })
      await whenStarted(world, 10)
      world.fault('SIGTERM of the worker')
      const [code] = await Promise.all([first.stop(), world.worker(redis)])
      world.claim(code === 0, `it exited with ${code}`)
      await whenDone(world, rounds)
    },
  },
]

function diesAt(when: 'before' | 'after', then: string): Scenario {
  return {
    name: `worker-killed-${when}`,
    proves: `a worker killed ${when} the effect: ${then}`,
    ...(when === 'after' && { isShort: true }),
    async run(world) {
      const redis = await world.redis()
      const facades = await world.facadesOn(2, redis)
      await world.worker(redis)
      const rounds = names('round', 3)
      for (const round of rounds) {
        await world.worker(redis)
        await world.submit(facades[0] as (typeof facades)[0], round, { diesAt: when, sleepMs: 50 })
        world.fault(`a worker dies ${when} the effect`)
        await world.until(
          () => world.readEffects().some((effect) => effect.round === round),
          `${round} is started`,
        )
        // What a server has been told of a job's leader is asked again when that is another.
        for (const facade of facades) await world.to(facade).call('elected', round)
        await world.to(facades[0] as (typeof facades)[0]).elect(round, { token: `${round}-passer-by` })
      }
      await whenStarted(world, 2 * rounds.length)
      await whenDone(world, rounds)
      for (const round of rounds) for (const facade of facades) await world.to(facade).call('elected', round)
      const starts = world.readEffects().filter(({ phase }) => phase === 'start').length
      world.claim(
        starts === 2 * rounds.length,
        `${rounds.length} rounds whose first worker died were started ${starts} times`,
      )
    },
  }
}

async function whenStarted(world: World, count: number): Promise<void> {
  await world.until(
    () => world.readEffects().filter(({ phase }) => phase === 'start').length >= count,
    `${count} jobs are started`,
  )
}

async function whenEnded(world: World, count: number): Promise<void> {
  await world.until(
    () => world.readEffects().filter(({ phase }) => phase === 'end').length >= count,
    `${count} jobs have ended`,
    25_000,
  )
}

async function whenDone(world: World, rounds: readonly string[], withinMs = 25_000): Promise<void> {
  await world.until(
    () => {
      const ended = new Set(
        world.readEffects().flatMap(({ phase, round }) => (phase === 'end' ? [round] : [])),
      )
      return rounds.every((round) => ended.has(round))
    },
    `${rounds.length} jobs have ended`,
    withinMs,
  )
}

async function stateOf(
  world: World,
  facade: { readonly url: string },
  round: string,
): Promise<string | undefined> {
  return (await world.to(facade.url).call('round', round)).record?.state
}

async function metricsOf(facade: { readonly url: string }): Promise<string> {
  return (await fetch(`${facade.url}/metrics`)).text()
}
