import type { Process } from '../../test/support/processes.ts'
import { startLoad, untilPlayed, untilTold } from '../load.ts'
import type { Scenario } from '../scenario.ts'
import type { World } from '../world.ts'

/** The awaits of each call, as `preload.ts` names them. */
export const POINTS = {
  elect: ['before-decide', 'after-decide'],
  complete: ['before-complete', 'after-complete', 'before-show', 'after-show', 'after-acknowledge'],
  submit: ['before-submit', 'after-submit', 'after-add', 'after-acknowledge'],
} as const
export type Call = keyof typeof POINTS

/** Those behind the answer: the caller may have been told by then. */
const BEHIND: readonly string[] = [
  'before-show',
  'after-show',
  'after-acknowledge',
] satisfies (typeof POINTS)['complete'][number][]

/** What the servers themselves may suffer. */
export const FACADES: readonly Scenario[] = [
  killedAt('elect', 'the leader asks elsewhere and leads, and the board shows the round'),
  killedAt('complete', 'the report is sent elsewhere and accepted, and the board shows the end'),
  killedAt('submit', 'the round is submitted elsewhere, and runs once'),
  {
    name: 'nobody-asks-again',
    proves:
      'a facade dies between record and queue, and its caller with it: the sweeper shows the round and queues the job',
    isShort: true,
    async run(world) {
      const redis = await world.redis({ aof: 'always' })
      const well = await world.facade(redis)
      await world.worker(redis)
      const points = [
        ['elect', 'after-decide'],
        ['complete', 'after-complete'],
        ['complete', 'before-show'],
        ['submit', 'after-submit'],
      ] as const
      const victims = await world.facadesOn(points.length, redis, { failpoints: 'kill' })
      await Promise.all(
        points.map(async ([call, point], n) => {
          const round = `${n}.${point}`
          if (call === 'complete') await world.to(well).elect(round, { token: round })
          world.fault(`a facade dies between the record of ${call} and the queue`)
          const answer = await ask(world, victims[n] as Process, call, round)
          world.claim(
            answer.result === (point === 'before-show' ? 'ok' : 'unknown'),
            `${round}: the facade answered ${answer.status ?? 'nothing'}`,
          )
          await victims[n]?.ended
        }),
      )
      const hasRun = () => world.readEffects().some(({ phase }) => phase === 'end')
      await world.until(hasRun, 'the job that nobody queued has run', 20_000)
    },
  },
  {
    name: 'overdue',
    proves:
      'rounds turn red when their deadline passes unreported, also where the facades that notice it die or stand still; one that is reported late ends as reported, and one that is taken over is red no more',
    isShort: true,
    async run(world) {
      const redis = await world.redis({ aof: 'always' })
      const victims = await world.facadesOn(2, redis, { failpoints: 'kill' })
      const [one, other] = victims as [Process, Process]
      await world.to(one).elect('0.after-expire', { token: 'zero', deadlineMs: 1_000 })
      await world.to(other).elect('1.before-show', { token: 'one', deadlineMs: 2_000 })
      world.fault(
        'a facade dies after it has noted that a round is overdue, the other before the board is told',
      )
      await world.until(() => victims.every(({ isAlive }) => !isAlive), 'both have died', 20_000)

      const well = await world.facade(redis)
      const sleeper = await world.facade(redis, { failpoints: 'stop' })
      const rounds = ['unreported', 'completed', 'failed', 'taken']
      for (const token of rounds)
        await world
          .to(well)
          .elect(token, { token, deadlineMs: 1_000, ...(token === 'taken' && { leaseMs: 1_000 }) })
      await world.to(sleeper).elect('2.before-show', { token: 'two', deadlineMs: 1_000 })
      world.fault('a facade stands still before it tells the board that a round is overdue')
      await world.until(
        async () => {
          const states = await Promise.all(
            ['0.after-expire', '1.before-show', ...rounds].map((round) => world.boardState(round)),
          )
          return states.every((state) => state === 'failed')
        },
        'the board shows what is overdue',
        20_000,
      )
      await world.to(well).call('complete', 'completed', { token: 'completed' })
      await world.to(well).call('fail', 'failed', { token: 'failed', reason: 'gave up' })
      await world.to(well).elect('taken', { token: 'next', leaseMs: 60_000, deadlineMs: 600_000 })
      await world.to(well).call('complete', '2.before-show', { token: 'two' })
      const isShown = async () => (await world.boardState('2.before-show')) === 'completed'
      await world.until(isShown, 'the board shows what was completed meanwhile')
      sleeper.resume()
      await world.pause(1_000)
    },
  },
  stoppedAt('elect', 'others decide meanwhile, and what it answers late is still true'),
  stoppedAt('complete', 'the report counts once, here or elsewhere'),
  stoppedAt('submit', 'the round runs once'),
  {
    name: 'facades-killed',
    proves:
      'kill -9 of one facade after the other under load: callers go elsewhere, and every round has one leader',
    async run(world) {
      const redis = await world.redis()
      const facades = await world.facadesOn(3, redis)
      const load = startLoad(world, facades, { lanes: 6 })
      for (let kill = 0; kill < 3; kill += 1) {
        await untilPlayed(world, load, 40)
        world.fault('SIGKILL of a facade')
        const victim = world.random.int(0, 2)
        await facades[victim]?.kill()
        facades[victim] = await world.facade(redis)
      }
      await untilPlayed(world, load, 40)
      await load.stop()
    },
  },
  {
    name: 'facades-drained',
    proves:
      'SIGTERM of one facade after the other under load: open requests are answered, and it exits with 0',
    async run(world) {
      const redis = await world.redis()
      const facades = await world.facadesOn(2, redis)
      const load = startLoad(world, facades, { lanes: 6 })
      for (let stop = 0; stop < 2; stop += 1) {
        await untilPlayed(world, load, 40)
        world.fault('SIGTERM of a facade')
        const code = await facades[stop]?.stop()
        world.claim(code === 0, `a drained facade exited with ${code}`)
        facades[stop] = await world.facade(redis)
      }
      await untilPlayed(world, load, 20)
      await load.stop()
    },
  },
]

function killedAt(call: Call, then: string): Scenario {
  return {
    name: `killed-in-${call}`,
    proves: `a facade killed at each await of ${call}: ${then}`,
    ...(call === 'elect' && { isShort: true }),
    async run(world) {
      const redis = await world.redis({ aof: 'always' })
      const well = await world.facade(redis)
      if (call === 'submit') await world.worker(redis)
      const points = POINTS[call]
      const victims = await world.facadesOn(points.length, redis, { failpoints: 'kill' })
      await Promise.all(
        points.map(async (point, n) => {
          const victim = victims[n] as Process
          const round = `${n}.${point}`
          if (call === 'complete') await world.to(well).elect(round, { token: round })
          world.fault(`a facade dies ${point.replace('-', ' ')} of ${call}`)
          const answer = await ask(world, victim, call, round)
          const isBehind = call === 'complete' && BEHIND.includes(point)
          world.claim(
            answer.result === 'unknown' || (isBehind && answer.result === 'ok'),
            `${round}: the facade did not die, but answered ${answer.status}`,
          )
          await victim.ended
          const again = await untilTold(world, [well], call, round, askOf(call, round))
          world.claim(
            again.result === 'ok' && again.status !== 204,
            `${round}: ${call} elsewhere was answered ${again.status}`,
          )
        }),
      )
    },
  }
}

function stoppedAt(call: Call, then: string): Scenario {
  return {
    name: `stopped-in-${call}`,
    proves: `a facade stopped at each await of ${call} and continued: ${then}`,
    async run(world) {
      const redis = await world.redis()
      const well = await world.facade(redis)
      if (call === 'submit') await world.worker(redis)
      const sleeper = await world.facade(redis, { failpoints: 'stop' })
      for (const [n, point] of POINTS[call].entries()) {
        const round = `${n}.${point}`
        const lease = call === 'elect' && { leaseMs: 1_000 }
        if (call === 'complete') await world.to(well).elect(round, { token: round })
        world.fault(`a facade is stopped ${point.replace('-', ' ')} of ${call}`)
        const asleep = world.to(sleeper).call(call, round, { ...askOf(call, round), ...lease })
        await world.pause(1_300)
        if (call === 'elect') {
          // Its lease has run out, if it had one.
          await untilTold(world, [well], 'elect', round, { token: `${round}-other`, leaseMs: 30_000 })
        } else {
          await untilTold(world, [well], call, round, askOf(call, round))
        }
        sleeper.resume()
        await asleep
      }
    },
  }
}

export function askOf(call: Call, round: string) {
  // One that waits is recorded and queued in two steps.
  return call === 'submit' ? { body: { worker: 'probe', data: {}, delay: '1ms' } } : { token: round }
}

function ask(world: World, facade: Process, call: Call, round: string) {
  return world.to(facade).call(call, round, askOf(call, round))
}
