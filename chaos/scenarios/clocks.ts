import type { Process } from '../../test/support/processes.ts'
import { monotonicMs } from '../history.ts'
import { names, playRound, startLoad, untilPlayed, untilTold } from '../load.ts'
import type { Scenario } from '../scenario.ts'
import { builtCopy, type Patch } from '../tree.ts'
import { each, type World } from '../world.ts'
import { adminOf } from './redis.ts'

const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000
/** What delayed jobs wait. */
const WAIT_MS = 3_000
/** Of a probe a lock is a second long. */
const LONGER_THAN_A_LOCK_MS = 3_000
/** A worker looks each second, on a machine that may be busy. */
const LATE_MS = 8_000

/**
 * What Redis tells as its time cannot be shifted from outside (libfaketime and jemalloc do not go together), so that a copy of the
 * scripts adds what a key says; expiry of keys is not shifted.
 */
export const CLOCK_OF_A_KEY: readonly Patch[] = [
  {
    file: 'src/store/records/record.lua',
    find: 'clock = time[1] * 1000 + math.floor(time[2] / 1000)',
    replace:
      "clock = time[1] * 1000 + math.floor(time[2] / 1000) + tonumber(redis.call('GET', 'chaos:clock') or '0')",
  },
  {
    file: 'src/redis/redis-clock.ts',
    find: 'const [seconds, micros] = await client.time()',
    replace:
      "const [real, micros] = await client.time()\n    const seconds = Number(real) + Number(await client.get('chaos:clock')) / 1000",
  },
]

/** Clocks that are wrong. */
export const CLOCKS: readonly Scenario[] = [
  {
    name: 'facade-clocks',
    proves:
      'facades whose clocks are an hour slow and an hour fast elect, lease and take over as one with a right clock',
    isShort: true,
    async run(world) {
      const redis = await world.redis()
      const facades = await Promise.all([
        world.facade(redis),
        world.facade(redis, { clockOffsetMs: -HOUR_MS }),
        world.facade(redis, { clockOffsetMs: HOUR_MS }),
      ])
      await each(names('round', 50), async (round) => {
        await playRound(world, facades, round, { leaseMs: 5_000, candidates: 5 })
      })
      // Each leads a round with a lease, and goes silent: nobody takes over early, and somebody in time.
      await each(names('silent', 12), async (round) => {
        await untilTold(world, facades, 'elect', round, { token: `${round}-late`, leaseMs: 1_500 })
        const standbys = facades.map((facade, n) =>
          world.to(facade).elect(round, { token: `${round}-${n}`, leaseMs: 30_000, waitMs: 3_000 }),
        )
        const told = await Promise.all(standbys)
        const next = told.filter(({ status }) => status === 202).length
        world.claim(next === 1, `${round}: ${next} took over`)
        const isOverdue = told.some(({ state }) => state === 'overdue')
        world.claim(!isOverdue, `${round}: called overdue by the clock of a facade`)
      })
    },
  },
  {
    name: 'facade-clock-jobs',
    proves:
      'jobs that are submitted and run by processes whose clocks are an hour off each run once, at once',
    async run(world) {
      const redis = await world.redis()
      const facades = await Promise.all([
        world.facade(redis, { clockOffsetMs: -HOUR_MS }),
        world.facade(redis, { clockOffsetMs: HOUR_MS }),
      ])
      await Promise.all([
        world.worker(redis, { clockOffsetMs: HOUR_MS }),
        world.worker(redis, { clockOffsetMs: -HOUR_MS }),
      ])
      const rounds = names('round', 40)
      await each(rounds, async (round) => {
        await untilTold(world, facades, 'submit', round, { body: { worker: 'probe', data: {} } })
      })
      await world.until(
        () => world.readEffects().filter(({ phase }) => phase === 'end').length >= rounds.length,
        'all jobs have run',
      )
      const starts = world.readEffects().filter(({ phase }) => phase === 'start').length
      world.claim(starts === rounds.length, `${rounds.length} rounds were started ${starts} times`)
    },
  },
  {
    name: 'delay-clocks',
    proves:
      'jobs that are to wait start when they are to by the clock of Redis, whatever those of facades and workers say: none early, none hours late',
    isShort: true,
    async run(world) {
      const redis = await world.redis()
      const wrong = [{ clockOffsetMs: -HOUR_MS }, { clockOffsetMs: HOUR_MS }] as const
      const facades = await Promise.all(wrong.map((clock) => world.facade(redis, clock)))
      const [, fast] = await Promise.all(wrong.map((clock) => world.worker(redis, clock)))
      await startOnTime(world, facades, names('round', 12))
      // Beside one that is fast nobody sees that a slow one leaves all jobs to it.
      world.fault('the worker whose clock is fast ends')
      await fast?.stop()
      await startOnTime(world, facades, names('slow', 6))
    },
  },
  {
    name: 'long-job-clocks',
    proves:
      'workers whose clocks are an hour slow and an hour fast keep the locks of jobs that take longer than those: each attempt is one start, and is counted',
    async run(world) {
      const redis = await world.redis()
      const facades = [await world.facade(redis)]
      const fast = await world.worker(redis, { clockOffsetMs: HOUR_MS })
      await world.worker(redis, { clockOffsetMs: -HOUR_MS })
      await failThrice(world, facades, names('round', 6))
      // Beside one that is fast nobody sees what a slow one leaves to it.
      world.fault('the worker whose clock is fast ends')
      await fast.stop()
      await failThrice(world, facades, names('slow', 6))
    },
  },
  {
    name: 'list-clocks',
    proves: 'facades at 1970 and forty days ahead hide no system from the list of those with a right clock',
    isShort: true,
    async run(world) {
      const redis = await world.redis()
      const clocks = [0, 40 * DAY_MS, -Date.now()]
      const facades = await Promise.all(clocks.map((clockOffsetMs) => world.facade(redis, { clockOffsetMs })))
      const systems = names('system', 9)
      for (const [n, system] of systems.entries()) {
        await world.to(facades[n % facades.length] ?? '', system).elect('round', { token: system })
      }
      for (const { url } of facades) {
        const reply = await fetch(`${url}/api/v1/rounds?limit=1000`)
        const { rounds } = (await reply.json()) as { rounds: readonly { system: string }[] }
        const listed = new Set(rounds.map(({ system }) => system))
        const hidden = systems.filter((system) => !listed.has(system))
        world.claim(hidden.length === 0, `${url} does not list ${hidden.join(', ')}`)
      }
    },
  },
  {
    name: 'redis-clock',
    proves:
      'the clock of Redis jumps an hour ahead and back: leases end early or late, and no round has two leaders under a fence',
    async run(world) {
      const redis = await world.redis()
      const root = await builtCopy(world.folder, CLOCK_OF_A_KEY)
      world.checkOptions = { redisClockJumps: true }
      const admin = adminOf(world, redis)
      const facades = await world.facadesOn(2, redis, { root })
      for (const [turn, hours] of [1, 0, -1, 0].entries()) {
        const load = startLoad(world, facades, { leaseMs: 30_000, system: `turn-${turn}` })
        await untilPlayed(world, load, 15)
        const held = names(`held-${turn}`, 5)
        for (const round of held) {
          await world.to(facades[0] ?? '').elect(round, { token: `${round}-first`, leaseMs: 10_000 })
        }
        world.fault(`the clock of Redis jumps to ${hours} h`)
        await admin.set('chaos:clock', hours * HOUR_MS)
        for (const round of held) {
          const other = await world
            .to(facades[1] ?? '')
            .elect(round, { token: `${round}-second`, leaseMs: 10_000 })
          const late = await world.to(facades[0] ?? '').call('complete', round, { token: `${round}-first` })
          const isEither = other.status === 202 ? late.result === 'fail' : late.status === 200
          world.claim(
            isEither,
            `${round}: taken over ${other.status}, the first leader's report ${late.status}`,
          )
        }
        await untilPlayed(world, load, 15)
        await load.stop()
      }
    },
  },
]

/** Submits rounds that are to wait, each at the next facade, and claims of each that it starts when it is to. */
async function startOnTime(
  world: World,
  facades: readonly Process[],
  rounds: readonly string[],
): Promise<void> {
  const due = new Map<string, { readonly fromMs: number; readonly untilMs: number }>()
  for (const [n, round] of rounds.entries()) {
    const facade = facades[n % facades.length] as Process
    const askedMs = monotonicMs()
    // The clock of this process is that of Redis.
    const when =
      n % 3 === 0 ? { at: new Date(Date.now() + WAIT_MS).toISOString() } : { delay: `${WAIT_MS}ms` }
    const body = { worker: 'probe', data: {}, ...when }
    await untilTold(world, [facade], 'submit', round, { body })
    due.set(round, { fromMs: askedMs + WAIT_MS, untilMs: monotonicMs() + WAIT_MS + LATE_MS })
  }
  const startOf = (round: string) =>
    world.readEffects().find((effect) => effect.round === round && effect.phase === 'start')
  await world.until(() => rounds.every(startOf), 'all jobs have started', WAIT_MS + 2 * LATE_MS)
  for (const [round, { fromMs, untilMs }] of due) {
    const atMs = startOf(round)?.atMs ?? Number.NaN
    world.claim(atMs >= fromMs - 2, `${round} started ${Math.round(fromMs - atMs)} ms early`)
    world.claim(atMs <= untilMs, `${round} started late`)
  }
}

/** Jobs of three attempts, each longer than its lock, that all fail. */
async function failThrice(world: World, facades: readonly Process[], rounds: readonly string[]) {
  const data = { sleepMs: LONGER_THAN_A_LOCK_MS, fails: true }
  await each(rounds, async (round) => {
    await untilTold(world, facades, 'submit', round, { body: { worker: 'probe', data } })
  })
  const { url } = facades[0] as Process
  const hasFailed = async (round: string) =>
    (await world.to(url).call('round', round)).record?.state === 'failed'
  await world.until(
    async () => (await Promise.all(rounds.map(hasFailed))).every(Boolean),
    'all have failed',
    12 * LONGER_THAN_A_LOCK_MS,
  )
  const starts = world.readEffects().filter(({ round }) => rounds.includes(round)).length
  world.claim(starts === 3 * rounds.length, `${rounds.length} rounds were started ${starts} times`)
}
