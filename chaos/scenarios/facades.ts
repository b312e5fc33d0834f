import { startLoad, untilPlayed, untilTold } from '../load.ts'
import type { Process } from '../processes.ts'
import type { Scenario } from '../scenario.ts'
import type { World } from '../world.ts'

/** The awaits of each call, as `preload.ts` names them. */
export const POINTS = {
  elect: ['before-decide', 'after-decide', 'after-open', 'after-acknowledge'],
  complete: ['before-complete', 'after-complete', 'after-close', 'after-acknowledge'],
  submit: ['before-submit', 'after-submit', 'after-add', 'after-acknowledge'],
} as const
export type Call = keyof typeof POINTS

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
      const calls = ['elect', 'complete', 'submit'] as const
      const victims = await world.facadesOn(calls.length, redis, { failpoints: 'kill' })
      await Promise.all(
        calls.map(async (call, n) => {
          const round = call === 'elect' ? 'led.after-decide' : `${n}.after-${call}`
          if (call === 'complete') await world.to(well).elect(round, { token: round })
          world.fault(`a facade dies between the record of ${call} and the queue`)
          const answer = await ask(world, victims[n] as Process, call, round)
          world.claim(
            answer.result === 'unknown',
            `${round}: the facade did not die, but answered ${answer.status}`,
          )
          await victims[n]?.ended
        }),
      )
      const hasRun = () => world.readEffects().some(({ phase }) => phase === 'end')
      await world.until(hasRun, 'the job that nobody queued has run', 20_000)
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
          world.claim(
            answer.result === 'unknown',
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
  return call === 'submit' ? { body: { worker: 'probe', data: {} } } : { token: round }
}

function ask(world: World, facade: Process, call: Call, round: string) {
  return world.to(facade).call(call, round, askOf(call, round))
}
