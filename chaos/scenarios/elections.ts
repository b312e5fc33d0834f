import { Queue } from 'bullmq'
import { Redis } from 'ioredis'
import { ROUNDS_QUEUE } from '../../src/core/rounds/job.ts'
import { roundKey } from '../../src/core/rounds/round.ts'
import { QUEUE_PREFIX } from '../../src/queue/queue-keys.ts'
import { runCandidates } from '../candidates.ts'
import { names, playRound } from '../load.ts'
import type { Scenario } from '../scenario.ts'
import { each } from '../world.ts'

/** What holds while nothing fails. */
export const ELECTIONS: readonly Scenario[] = [
  {
    name: 'crowd',
    proves: '50 candidates a round, over three facades: one leads, all others are told so',
    isShort: true,
    async run(world, size) {
      const facades = await world.facadesOn(3, await world.redis())
      const rounds = names('round', Math.ceil(1_000 * size))
      await each(
        rounds,
        async (round) => void (await playRound(world, facades, round, { candidates: 50 })),
        4,
      )
    },
  },
  {
    name: 'replicas',
    proves: 'replicas in processes of their own, which share nothing but the clock, lead each round once',
    async run(world) {
      const facades = await world.facadesOn(2, await world.redis())
      await runCandidates(
        world,
        facades.map(({ url }) => url),
        { processes: 5, rounds: 200 },
      )
    },
  },
  {
    name: 'same-token',
    proves: 'one token sent by five replicas at once is one candidate: all five lead, under one fence',
    isShort: true,
    async run(world) {
      const facades = await world.facadesOn(2, await world.redis())
      await each(names('round', 100), async (round) => {
        const token = `${round}-team`
        const answers = await Promise.all([
          ...Array.from({ length: 5 }, (_, n) => world.to(facades[n % 2] ?? '').elect(round, { token })),
          ...Array.from({ length: 5 }, (_, n) =>
            world.to(facades[n % 2] ?? '').elect(round, { token: `${round}-${n}` }),
          ),
        ])
        const team = answers.slice(0, 5).filter(({ status }) => status === 202).length
        world.claim(
          team === 0 || team === 5,
          `${round}: ${team} of 5 calls with one token were told that they lead`,
        )
      })
    },
  },
  {
    name: 'without-token',
    proves: 'calls without a token are different candidates, also on one connection',
    isShort: true,
    async run(world) {
      const facades = await world.facadesOn(2, await world.redis())
      const rounds = names('round', 200)
      await each(
        rounds,
        async (round) => void (await playRound(world, facades, round, { candidates: 8, isAnonymous: true })),
      )
      await each(rounds, async (round) => {
        const again = await world.to(facades[0] ?? '').elect(round)
        world.claim(
          again.status === 204,
          `${round}: a later call without a token was answered ${again.status}`,
        )
      })
    },
  },
  {
    name: 'takeover',
    proves:
      'a leader that is silent beyond its lease is replaced by one stand-by, and can neither renew nor report then',
    isShort: true,
    async run(world) {
      const facades = await world.facadesOn(2, await world.redis())
      await each(names('round', 20), async (round) => {
        const [one = '', other = ''] = facades
        const late = { token: `${round}-late` }
        await world.to(one).elect(round, { ...late, leaseMs: 1_000 })
        await world.pause(300)
        await world.to(other).call('renew', round, { ...late, leaseMs: 1_000 })
        const standbys = names(round, 4).map((token, n) =>
          world.to(facades[n % 2] ?? '').elect(round, { token, leaseMs: 5_000, waitMs: 2_500 }),
        )
        const told = await Promise.all(standbys)
        const next = told.findIndex(({ status }) => status === 202)
        world.claim(next >= 0, `${round}: nobody took over`)
        const calls = [
          world.to(one).call('renew', round, late),
          world.to(other).call('complete', round, late),
          world.to(one).call('fail', round, { ...late, reason: 'late' }),
        ]
        const refused = (await Promise.all(calls)).every(({ result }) => result === 'fail')
        world.claim(refused, `${round}: a call of the late leader was not refused`)
        await world.to(one).call('complete', round, { token: `${round}-${next}` })
      })
    },
  },
  {
    name: 'ended-elsewhere',
    proves:
      'a token that leads at one facade and reports at another has lost when it asks again, and no reply says led any more',
    isShort: true,
    async run(world) {
      const facades = await world.facadesOn(2, await world.redis())
      await each(names('round', 100), async (round) => {
        const [one = '', other = ''] = facades
        const token = `${round}-leader`
        await world.to(one).elect(round, { token })
        await world.to(one).elect(round, { token: `${round}-loser` })
        await world.to(other).call(round.endsWith('7') ? 'fail' : 'complete', round, { token })
        const again = await Promise.all([
          world.to(one).elect(round, { token }),
          world.to(other).elect(round, { token }),
          world.to(one).elect(round, { token: `${round}-loser` }),
          world.to(one).call('elected', round),
          world.to(one).call('round', round),
        ])
        const [own, elsewhere] = again.map(({ status }) => status)
        world.claim(own === 204 && elsewhere === 204, `${round}: its leader was told ${own} and ${elsewhere}`)
      })
    },
  },
  {
    name: 'lease-cut',
    proves: 'a renewal by a shorter lease lets nobody take over before the end that was promised',
    isShort: true,
    async run(world) {
      const facades = await world.facadesOn(2, await world.redis())
      await each(names('round', 20), async (round) => {
        const [one = '', other = ''] = facades
        const token = `${round}-leader`
        await world.to(one).elect(round, { token, leaseMs: 4_000 })
        await world.to(other).call('renew', round, { token, leaseMs: 1_000 })
        const next = await world
          .to(other)
          .elect(round, { token: `${round}-next`, leaseMs: 30_000, waitMs: 6_000 })
        world.claim(next.status === 202, `${round}: nobody took over, but ${next.status}`)
        await world.to(other).call('complete', round, { token: `${round}-next` })
        await world.to(one).elect(round, { token: `${round}-late` })
      })
    },
  },
  {
    name: 'second-life',
    proves:
      'a leader that lost its round and won it back: what it sent in its first life, under the first fence, is refused',
    async run(world) {
      const facades = await world.facadesOn(2, await world.redis())
      await each(names('round', 20), async (round) => {
        const [one = '', other = ''] = facades
        const token = `${round}-one`
        const first = await world.to(one).elect(round, { token, leaseMs: 1_000 })
        await world.to(other).elect(round, { token: `${round}-other`, leaseMs: 1_000, waitMs: 2_000 })
        const second = await world.to(one).elect(round, { token, leaseMs: 30_000, waitMs: 2_000 })
        world.claim(second.status === 202, `${round}: it was not won back, but ${second.status}`)
        const late = { token, fence: first.fence ?? 0 }
        const calls = [
          world.to(other).call('renew', round, late),
          world.to(other).call('complete', round, late),
        ]
        const refused = (await Promise.all(calls)).every(({ result }) => result === 'fail')
        world.claim(refused, `${round}: a call under the first fence was not refused`)
        await world.to(one).call('complete', round, { token, fence: second.fence ?? 0 })
      })
    },
  },
  {
    name: 'completes',
    proves:
      'of many reports of one round at once, by its leader, by others, as done and as failed, one is accepted',
    isShort: true,
    async run(world) {
      const facades = await world.facadesOn(2, await world.redis())
      await each(names('round', 100), async (round) => {
        const isAnonymous = round.endsWith('5')
        const token = `${round}-leader`
        const { fence } = await world.to(facades[0] ?? '').elect(round, isAnonymous ? {} : { token })
        const reports = Array.from({ length: 12 }, (_, n) => {
          const caller = world.to(facades[n % 2] ?? '')
          if (n % 4 === 0) return caller.call('complete', round, { token: `${round}-stranger-${n}` })
          if (n % 4 === 1) return caller.call('fail', round, isAnonymous ? {} : { token, reason: 'gave up' })
          if (n % 4 === 2) return caller.call('complete', round, isAnonymous ? {} : { token })
          return caller.call('complete', round, { ...(fence !== undefined && { fence }) })
        })
        const accepted = (await Promise.all(reports)).filter(({ status }) => status === 200)
        world.claim(accepted.length > 0, `${round}: no report was accepted`)
      })
    },
  },
  {
    name: 'job-gone',
    proves:
      'calls that come when the job of a round is gone from its queue are answered as before, and nothing is run again',
    async run(world) {
      const redis = await world.redis()
      const [facade] = await world.facadesOn(1, redis)
      const worker = await world.worker(redis)
      if (!facade) return
      const led = names('led', 20)
      const submitted = names('job', 20)
      for (const round of led) await playRound(world, [facade], round)
      for (const round of submitted) await world.submit(facade, round)
      await world.until(() => world.readEffects().length >= 2 * submitted.length, 'the jobs have run')
      await world.until(
        async () => (await world.to(facade).call('round', 'job-19')).record?.state === 'completed',
        'done',
      )
      await world.pause(300)
      const client = new Redis(redis.port)
      for (const [name, rounds] of [
        [ROUNDS_QUEUE, led],
        ['probe', submitted],
      ] as const) {
        const queue = new Queue(name, { connection: client, prefix: QUEUE_PREFIX })
        for (const round of rounds) {
          await queue.remove(roundKey({ system: 'chaos', round }))
          world.notOnBoard.add(`chaos/${round}`)
        }
        await queue.close()
      }
      client.disconnect()
      world.fault('the jobs of finished rounds are removed')
      for (const round of led) {
        await world.to(facade).elect(round, { token: `${round}-late` })
        await world.to(facade).call('complete', round, { token: `${round}-late` })
      }
      for (const round of submitted) await world.submit(facade, round)
      await world.pause(1_500)
      const starts = world.readEffects().filter(({ phase }) => phase === 'start').length
      world.claim(starts === submitted.length, `${submitted.length} jobs were started ${starts} times`)
      await worker.stop()
    },
  },
]
