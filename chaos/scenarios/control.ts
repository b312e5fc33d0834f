import { names } from '../load.ts'
import type { Scenario } from '../scenario.ts'
import { each, type World } from '../world.ts'

type Facade = Awaited<ReturnType<World['facade']>>

const ROUNDS = 15
const SYSTEM = 'chaos'

/** What those do who look after rounds. They ask past the history, whose rules are those of rounds that nobody opens again. */
export const CONTROL: readonly Scenario[] = [
  {
    name: 'retry',
    proves:
      'failed rounds that many open again at once run once more each, also where a facade dies at it, and completed ones never',
    isShort: true,
    async run(world) {
      const redis = await world.redis()
      const facade = await world.facade(redis)
      const victim = await world.facade(redis)
      await world.worker(redis)
      const rounds = names('again', ROUNDS)
      await each(rounds, async (round) => {
        await world.submit(facade, round, { failsTimes: 1 }, { attempts: 1 })
      })
      await each(rounds, async (round) => void (await untilState(world, facade, round, 'failed')))
      world.fault('SIGKILL of a facade while it opens rounds again')
      const asked = rounds.map(async (round) => {
        const answers = await Promise.all(
          [facade, victim, facade, victim].map((to) => tell(to, 'retry', SYSTEM, round)),
        )
        const opened = answers.filter((status) => status === 200).length
        const isUnknown = answers.some((status) => status === undefined || status >= 500)
        world.claim(opened === 1 || (isUnknown && opened === 0), `${round} was opened ${opened} times`)
      })
      await victim.kill()
      await Promise.all(asked)
      await each(rounds, async (round) => void (await untilState(world, facade, round, 'completed')))
      await each(rounds, async (round) => {
        const status = await tell(facade, 'retry', SYSTEM, round)
        world.claim(status === 409, `${round} is completed, and a retry was answered ${status}`)
      })
      await world.pause(1_000)
      for (const round of rounds) {
        const starts = startsOf(world, round)
        world.claim(starts === 2, `${round} failed once, was opened once, and was started ${starts} times`)
      }
      await each(names('led', 5), (round) => leadAgain(world, facade, round))
    },
  },
  {
    name: 'cancel',
    proves:
      'a cancelled round ends failed whoever runs it, its handler is told and refused, and one that was told of its own end keeps it',
    isShort: true,
    async run(world) {
      const redis = await world.redis()
      const facades = await world.facadesOn(2, redis)
      const [facade] = facades as [Facade]
      await world.worker(redis)
      const waiting = names('waits', 5)
      for (const round of waiting) await world.submit(facade, round, {}, { delay: '1h' })
      const running = names('runs', 5)
      for (const round of running) await world.submit(facade, round, { sleepMs: 40_000 })
      await world.until(() => running.every((round) => startsOf(world, round) > 0), 'jobs run')
      world.fault('the rounds are cancelled')
      await each([...waiting, ...running], async (round) => {
        const status = await tell(facade, 'cancel', SYSTEM, round)
        world.claim(status === 200, `cancelling ${round} was answered ${status}`)
        await untilState(world, facade, round, 'failed')
      })
      // 4 s until a handler is told, and 5 s that it has to end: these never listen.
      await world.until(
        async () => (await activeJobs(facade)) === 0,
        'no job of a cancelled round runs',
        20_000,
      )
      await each(names('races', 60), async (round) => {
        await world.submit(facade, round, { sleepMs: world.random.int(0, 60) })
        await world.pause(world.random.int(0, 60))
        const told = await Promise.all(facades.map((to) => tell(to, 'cancel', SYSTEM, round)))
        const end = await untilState(world, facade, round, 'failed', 'completed')
        const wasCancelled = told.includes(200)
        world.claim(
          wasCancelled === (end === 'failed'),
          `cancelling ${round} was answered ${told.join(' and ')}, and it is ${end}`,
        )
      })
      world.claim(
        waiting.every((round) => startsOf(world, round) === 0),
        'a cancelled job was started',
      )
    },
  },
]

/** A round that is led over HTTP fails, is opened again, and is led by one of many; the first leader's late word does not count. */
async function leadAgain(world: World, facade: Facade, round: string): Promise<void> {
  const system = 'led-again'
  const elect = async (token: string) => {
    const reply = await post(facade, 'elect', system, round, token)
    return { token, isLeader: reply?.status === 202, fence: Number(reply?.headers.get('gone-fence')) }
  }
  const first = await elect('first')
  await post(facade, 'fail', system, round, 'first')
  await tell(facade, 'retry', system, round)
  const early = (await post(facade, 'complete', system, round, 'first'))?.status
  world.claim(
    early === 400,
    `${round}: what was led before was completed after it was opened again (${early})`,
  )
  const races = await Promise.all(names('racer', 8).map(elect))
  const [winner, ...others] = races.filter(({ isLeader }) => isLeader)
  world.claim(winner !== undefined && others.length === 0, `${round}: ${others.length + 1} led it again`)
  world.claim((winner?.fence ?? 0) > first.fence, `${round}: led again under ${winner?.fence}`)
  await post(facade, 'complete', system, round, winner?.token ?? '')
  const status = await tell(facade, 'retry', system, round)
  world.claim(status === 409, `${round} is completed, and a retry was answered ${status}`)
}

/** The status that it is answered with; undefined without an answer. */
async function tell(to: Facade, what: 'retry' | 'cancel', system: string, round: string) {
  return (await post(to, what, system, round))?.status
}

function post(to: Facade, step: string, system: string, round: string, token?: string) {
  return fetch(`${to.url}/api/v1/${step}/${system}/${round}`, {
    method: 'POST',
    ...(token !== undefined && { headers: { 'gone-candidate': token } }),
    signal: AbortSignal.timeout(5_000),
  }).catch(() => undefined)
}

async function untilState(world: World, facade: Facade, round: string, ...states: string[]): Promise<string> {
  let state = ''
  await world.until(
    async () => {
      state = (await world.to(facade).call('round', round)).record?.state ?? ''
      return states.includes(state)
    },
    `${round} is ${states.join(' or ')}`,
    25_000,
  )
  return state
}

function startsOf(world: World, round: string): number {
  return world.readEffects().filter((effect) => effect.round === round && effect.phase === 'start').length
}

async function activeJobs(facade: Facade): Promise<number> {
  const text = await (await fetch(`${facade.url}/metrics`)).text()
  return Number(/^gone_queue_jobs\{queue="probe",state="active"\} (\d+)$/m.exec(text)?.[1])
}
