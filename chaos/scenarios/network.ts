import { connect } from 'node:net'
import { pause } from '../../src/waiting.ts'
import { names, startLoad, untilPlayed, untilTold } from '../load.ts'
import type { Scenario } from '../scenario.ts'
import { each } from '../world.ts'
import { adminOf } from './redis.ts'

/** What the wires between callers, servers and Redis may do. */
export const NETWORK: readonly Scenario[] = [
  {
    name: 'decision-unheard',
    proves:
      'Redis decides and its reply is lost: the same token leads when it asks again, so nobody is stranded',
    isShort: true,
    async run(world) {
      const redis = await world.redis()
      const wire = await world.proxy(redis.port)
      const facade = await world.facade(wire.redisUrl)
      for (const round of names('token', 15)) {
        world.fault('the reply to a decision is lost')
        wire.swallowReply(round)
        const told = await untilTold(world, [facade], 'elect', round, { token: `${round}-one` })
        world.claim(told.status === 202, `${round}: its leader was told ${told.status}`)
        await untilTold(world, [facade], 'complete', round, { token: `${round}-one` })
      }
      // Without a token the server itself knows whose answer was lost.
      for (const round of names('none', 15)) {
        world.fault('the reply to a decision is lost')
        wire.swallowReply(round)
        const told = await untilTold(world, [facade], 'elect', round, {})
        world.claim(told.status === 202, `${round}: nobody leads, the next caller was told ${told.status}`)
        await untilTold(world, [facade], 'elect', round, {})
      }
      world.claim(wire.swallowed === 30, `${wire.swallowed} of 30 replies were lost`)
      wire.heal()
    },
  },
  {
    name: 'doubt',
    proves: 'calls without a token whose answers were lost may lead: of those who ask next, one does',
    isShort: true,
    async run(world) {
      const redis = await world.redis()
      const wire = await world.proxy(redis.port)
      const facade = await world.facade(wire.redisUrl)
      const rounds = names('round', 30)
      world.fault('a one-way partition: Redis decides, and is not heard')
      wire.drop('replies')
      await each(
        rounds,
        async (round) => {
          const unheard = await world.to(facade).elect(round)
          world.claim(unheard.result === 'unknown', `${round}: answered ${unheard.status} without Redis`)
        },
        30,
      )
      wire.heal()
      await each(rounds, async (round) => {
        const told = await Promise.all([1, 2, 3].map(() => untilTold(world, [facade], 'elect', round, {})))
        const leaders = told.filter(({ status }) => status === 202).length
        world.claim(leaders === 1, `${round}: ${leaders} of those who asked next lead`)
        await untilTold(world, [facade], 'elect', round, {})
      })
    },
  },
  {
    name: 'caller-gone',
    proves:
      'callers without a token and stand-bys that are gone before they are answered lead nothing: whoever asks next does, anywhere',
    isShort: true,
    async run(world) {
      const redis = await world.redis()
      const [one, other] = await world.facadesOn(2, redis)
      if (!one || !other) return
      const admin = adminOf(world, redis)
      const rounds = names('round', 20)
      world.fault('callers close their connections while Redis decides')
      // What runs for the first time takes long.
      for (const [n, facade] of [one, other].entries()) await world.to(facade).elect(`first-${n}`)
      await admin.client('PAUSE', 700, 'ALL')
      const gone = rounds.map((round, n) => askAndGo(one, round, n % 4 === 0 ? '?wait=20s' : ''))
      await Promise.all(gone)
      await world.pause(800)
      await each(rounds, async (round) => {
        const told = await world.to(other).elect(round, { token: `${round}-next` })
        world.claim(told.status === 202, `${round}: who asked next was told ${told.status}`)
        world.claim((told.fence ?? 0) > rounds.length, `${round}: nobody had led it before`)
        await world.to(one).call('complete', round, { token: `${round}-next` })
      })
    },
  },
  {
    name: 'decision-unsent',
    proves: 'a decision that never reaches Redis is asked for again, and made once',
    isShort: true,
    async run(world) {
      const redis = await world.redis()
      const wire = await world.proxy(redis.port)
      const facade = await world.facade(wire.redisUrl)
      for (const round of names('round', 20)) {
        world.fault('a decision is lost on its way to Redis')
        wire.swallowRequest(round)
        const told = await untilTold(world, [facade], 'elect', round, { token: `${round}-one` })
        world.claim(told.status === 202, `${round}: its leader was told ${told.status}`)
      }
      world.claim(wire.swallowed === 20, `${wire.swallowed} of 20 requests were lost`)
      wire.heal()
    },
  },
  {
    name: 'answer-unheard',
    proves:
      'elect, complete and submit whose HTTP answer is lost are sent again with the same token, and count once',
    isShort: true,
    async run(world) {
      const redis = await world.redis()
      const facade = await world.facade(redis)
      const wire = await world.proxy(Number(new URL(facade.url).port))
      const far = { url: wire.httpUrl }
      await world.worker(redis)
      for (const round of names('round', 20)) {
        const token = `${round}-one`
        for (const op of ['elect', 'complete'] as const) {
          world.fault(`the answer to ${op} is lost`)
          wire.swallowReply(`/${op}/chaos/${round}`)
          const told = await untilTold(world, [far], op, round, { token })
          world.claim(
            told.result === 'ok' && told.status !== 204,
            `${round}: ${op} again was answered ${told.status}`,
          )
        }
        const job = `job-${round}`
        world.fault('the answer to submit is lost')
        wire.swallowReply(`/submit/chaos/${job}`)
        await untilTold(world, [far], 'submit', job, { body: { worker: 'probe', data: {} } })
      }
      world.claim(wire.swallowed === 60, `${wire.swallowed} of 60 answers were lost`)
    },
  },
  oneWay('requests'),
  oneWay('replies'),
  {
    name: 'wire-cut',
    proves: 'connections to Redis that break again and again cost time, and no round',
    async run(world) {
      const redis = await world.redis()
      const wires = await Promise.all([world.proxy(redis.port), world.proxy(redis.port)])
      const facades = await Promise.all(wires.map((wire) => world.facade(wire.redisUrl)))
      const load = startLoad(world, facades, { lanes: 6 })
      for (let cut = 0; cut < 30; cut += 1) {
        await world.pause(world.random.int(20, 200))
        world.fault('all connections of a facade to Redis are cut')
        world.random.pick(wires).cut()
      }
      await untilPlayed(world, load, 40)
      await load.stop()
    },
  },
  {
    name: 'wire-slow',
    proves: 'a Redis that is 250 ms away decides as well, and one that is too far says retry',
    async run(world) {
      const redis = await world.redis()
      const wire = await world.proxy(redis.port)
      const facades = await Promise.all([world.facade(redis), world.facade(wire.redisUrl)])
      const load = startLoad(world, facades, { lanes: 6 })
      for (const ms of [250, 1_500]) {
        world.fault(`each piece takes ${ms} ms in each direction`)
        wire.delay(ms)
        await world.pause(3_000)
        wire.heal()
        await untilPlayed(world, load, 20)
      }
      await load.stop()
    },
  },
  {
    name: 'facade-cut-off',
    proves: 'a facade that lost Redis tells nobody that it lost, and agrees with the others when it is back',
    isShort: true,
    async run(world) {
      const redis = await world.redis()
      const wire = await world.proxy(redis.port)
      const [near, far] = await Promise.all([world.facade(redis), world.facade(wire.redisUrl)])
      world.fault('one of two facades is cut off from Redis')
      wire.refuse()
      await each(names('round', 40), async (round) => {
        const [here, there] = await Promise.all([
          untilTold(world, [near], 'elect', round, { token: `${round}-near`, leaseMs: 60_000 }),
          world.to(far).elect(round, { token: `${round}-far`, leaseMs: 60_000 }),
        ])
        world.claim(here.status === 202, `${round}: the only one who could ask was told ${here.status}`)
        world.claim(there.result === 'unknown', `${round}: the facade without Redis answered ${there.status}`)
      })
      wire.heal()
      await each(names('round', 40), async (round) => {
        const told = await untilTold(world, [far], 'elect', round, { token: `${round}-far`, leaseMs: 60_000 })
        world.claim(told.status === 204, `${round}: led elsewhere, and ${told.status} here`)
      })
    },
  },
]

function oneWay(direction: 'requests' | 'replies'): Scenario {
  const lost = direction === 'requests' ? 'hears nothing of a facade' : 'is not heard by a facade'
  return {
    name: `one-way-${direction}`,
    proves: `a Redis that ${lost}, with the connections up: retry, and each round decided once`,
    ...(direction === 'replies' && { isShort: true as const }),
    async run(world) {
      const redis = await world.redis()
      const wire = await world.proxy(redis.port)
      const facades = await Promise.all([world.facade(redis), world.facade(wire.redisUrl)])
      const load = startLoad(world, facades, { lanes: 8, leaseMs: 30_000 })
      for (let turn = 0; turn < 2; turn += 1) {
        await untilPlayed(world, load, 40)
        world.fault(`a one-way partition: Redis ${lost}`)
        wire.drop(direction)
        await pause(2_500)
        wire.heal()
      }
      await untilPlayed(world, load, 40)
      await load.stop()
    },
  }
}

/** Asks for the lead without a token, and is gone before Redis, which is halted, can have decided. */
async function askAndGo({ url }: { readonly url: string }, round: string, query: string): Promise<void> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.on('error', () => undefined)
  socket.write(
    `POST /api/v1/elect/chaos/${round}${query} HTTP/1.1\r\nHost: ${hostname}\r\nContent-Length: 0\r\n\r\n`,
  )
  await pause(350)
  socket.destroy()
}
