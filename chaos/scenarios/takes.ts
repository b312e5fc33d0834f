import { names } from '../load.ts'
import type { Scenario } from '../scenario.ts'
import { each, type World } from '../world.ts'

type Facade = Awaited<ReturnType<World['facade']>>

interface Job {
  readonly round: string
  readonly fence: number
}

const SYSTEM = 'taken'

/** Jobs that executors take over HTTP. They ask past the history, which knows of probes alone. */
export const TAKES: readonly Scenario[] = [
  {
    name: 'taken',
    proves:
      'a job that is taken over HTTP and may be started only once is run once, also where a facade dies at its start, and however often it is given back',
    isShort: true,
    async run(world) {
      const redis = await world.redis()
      const facade = await world.facade(redis)
      for (const point of ['before-start', 'after-start']) await dieAt(world, redis, facade, point)
      const other = await world.facade(redis)
      await askTogether(world, [facade, other])
      await each(names('back', 5), (round) => giveBackOften(world, [facade, other], round))
    },
  },
]

/** A facade dies as it starts the job. Whoever has heard nothing asks the other one with the same token. */
async function dieAt(world: World, redis: { url: string }, facade: Facade, point: string): Promise<void> {
  const victim = await world.facade(redis, { failpoints: 'kill' })
  const round = `dies.${point}`
  await submit(world, facade, round, round)
  world.fault(`SIGKILL of a facade ${point} of a job that is taken`)
  const unheard = await take(world, victim, round, { token: round })
  world.claim(unheard === undefined, `a facade was to die ${point}, and answered`)
  const job = await take(world, facade, round, { token: round, wait: '5s' })
  world.claim(
    job?.round === round,
    `${round}: its token was given ${job?.round ?? 'nothing'} when it asked again`,
  )
  const status = job && (await report(world, facade, 'complete', job))
  world.claim(status === 200, `${round}: its completion was answered ${status}`)
}

/** Calls of one token that wait together are one executor. */
async function askTogether(world: World, facades: readonly [Facade, Facade]): Promise<void> {
  const calls = [...facades, ...facades].map((to) =>
    take(world, to, 'together', { token: 'one', wait: '10s' }),
  )
  await each(names('together', 3), (round) => submit(world, facades[0], 'together', round))
  const given = new Set((await Promise.all(calls)).map((job) => job?.round))
  world.claim(given.size === 1, `one token was given ${[...given].join(' and ')}`)
}

/** Its executor does not hear that it has given the job back, and says so again; the next one dies. */
async function giveBackOften(world: World, facades: readonly [Facade, Facade], round: string): Promise<void> {
  const [facade, other] = facades
  await submit(world, facade, round, round)
  const job = await take(world, facade, round, { wait: '10s' })
  for (const to of [facade, other, facade]) {
    const status = job && (await report(world, to, 'give-back', job))
    world.claim(status === 200, `${round}: giving it back was answered ${status}`)
  }
  const started = await take(world, other, round, { wait: '10s', lease: '1s' })
  world.claim(started !== undefined, `${round} was given back, and nobody was given it`)
  const again = await take(world, facade, round, { wait: '10s' })
  world.claim(
    again === undefined,
    `${round} may be started once, and was started again after its executor died`,
  )
  const answer = await fetch(`${facade.url}/api/v1/rounds/${SYSTEM}/${round}`)
  const { state } = (await answer.json()) as { state: string }
  world.claim(state === 'failed', `${round}: its one start came to no end, and it is ${state}`)
}

async function submit(world: World, to: Facade, worker: string, round: string): Promise<void> {
  const body = { worker, ifExecutorDies: 'fail' }
  const reply = await post(world, to, `submit/${SYSTEM}/${round}`, {}, body)
  world.claim(reply?.status === 202, `submitting ${round} was answered ${reply?.status}`)
  world.besides = { ...world.besides, rounds: world.besides.rounds + 1 }
}

/** Undefined where there is none, or nobody answers. */
async function take(
  world: World,
  to: Facade,
  worker: string,
  { token, ...query }: { readonly token?: string; readonly wait?: string; readonly lease?: string } = {},
): Promise<Job | undefined> {
  const asked = new URLSearchParams({ ...query, ...(token !== undefined && { candidate: token }) })
  const reply = await post(world, to, `take/${worker}?${asked}`)
  return reply?.status === 200 ? ((await reply.json()) as Job) : undefined
}

async function report(world: World, to: Facade, what: 'complete' | 'give-back', { round, fence }: Job) {
  const reply = await post(world, to, `${what}/${SYSTEM}/${round}`, { 'gone-fence': String(fence) })
  return reply?.status
}

async function post(world: World, to: Facade, path: string, headers = {}, body?: object) {
  const json = body && {
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json', ...headers },
  }
  try {
    const reply = await fetch(`${to.url}/api/v1/${path}`, {
      method: 'POST',
      headers,
      signal: AbortSignal.timeout(20_000),
      ...json,
    })
    world.besides = { ...world.besides, calls: world.besides.calls + 1 }
    return reply
  } catch {
    const { calls, unknown } = world.besides
    world.besides = { ...world.besides, calls: calls + 1, unknown: unknown + 1 }
    return undefined
  }
}
