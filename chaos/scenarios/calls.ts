import type { EndedCallJson } from '../../src/core/rounds/call-wire.ts'
import { eachAtOnce, pause } from '../../src/waiting.ts'
import type { Process } from '../../test/support/processes.ts'
import type { Scenario } from '../scenario.ts'
import type { World } from '../world.ts'

/** A call, and what it was answered each time that it was asked for its end. */
interface Made {
  readonly token: string
  readonly isOnce: boolean
  readonly ends: EndedCallJson[]
}

const CALLS_MADE = 600
const AT_ONCE = 30
const FAULT_EVERY_MS = 1_500
const GIVEN_UP = 20
const TIMEOUT_MS = 30_000

/** What may happen to calls. */
export const CALLS: readonly Scenario[] = [
  {
    name: 'calls-mix',
    proves:
      'calls while workers and facades are killed and answers get lost have one end each, callOnce starts once, and none is started that was given up',
    isShort: true,
    async run(world, size) {
      const redis = await world.redis({ aof: 'always' })
      const facades = await world.facadesOn(2, redis)
      const workers = [await world.worker(redis), await world.worker(redis)]
      const made = Array.from(
        { length: Math.ceil(CALLS_MADE * size) },
        (_, n): Made => ({ token: `call-${n}`, isOnce: n % 2 === 0, ends: [] }),
      )
      const faults = killInTurn(world, redis, facades, workers)
      await eachAtOnce(AT_ONCE, made, (call) => askUntilTold(world, facades, call))
      await faults.stop()
      await Promise.all(workers.map((worker) => worker.stop()))
      await giveUpAsTheServerDies(world, redis, facades)
      world.heal()
      // Whoever asks again, wherever, is told the same.
      for (const facade of facades.filter(({ isAlive }) => isAlive))
        await eachAtOnce(AT_ONCE, made, (call) => askUntilTold(world, [facade], call))
      claimAll(world, made)
    },
  },
]

/** A call as it is asked for once: the end, or undefined where nobody could tell. */
async function ask(
  url: string,
  { token, isOnce }: Made,
  data: object,
  withinMs: number,
  timeoutMs = TIMEOUT_MS,
): Promise<EndedCallJson | undefined> {
  const body = { data, timeout: `${timeoutMs}ms`, queue: true, once: isOnce }
  try {
    const reply = await fetch(`${url}/api/v1/call/chaos/probe?wait=5s`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'gone-request': token },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(withinMs),
    })
    const json = (await reply.json()) as EndedCallJson
    return reply.status === 200 ? json : undefined
  } catch {
    return undefined
  }
}

async function askUntilTold(world: World, facades: readonly Process[], call: Made): Promise<void> {
  const sleepMs = world.random.fork(call.token).int(0, 300)
  const giveUpMs = performance.now() + 2 * TIMEOUT_MS
  for (let tries = 0; performance.now() < giveUpMs; tries += 1) {
    const alive = facades.filter(({ isAlive }) => isAlive)
    const facade = alive[tries % Math.max(1, alive.length)]
    // The first of some is not waited for: its answer is lost.
    const withinMs = tries === 0 && sleepMs % 3 === 0 ? 20 : 8_000
    const end = facade && (await ask(facade.url, call, { sleepMs }, withinMs))
    if (end) {
      call.ends.push(end)
      return
    }
    await pause(50)
  }
}

/** Kills a worker or a facade at a time, in turn, and starts another in its place. */
function killInTurn(
  world: World,
  redis: { readonly url: string },
  facades: Process[],
  workers: Process[],
): { stop(): Promise<void> } {
  const stopping = new AbortController()
  const work = async () => {
    for (let turn = 0; !stopping.signal.aborted; turn += 1) {
      await pause(FAULT_EVERY_MS, stopping.signal)
      if (stopping.signal.aborted) return
      const [list, what] = turn % 3 === 2 ? ([facades, 'facade'] as const) : ([workers, 'worker'] as const)
      const index = turn % 2
      world.fault(`SIGKILL of a ${what}`)
      await list[index]?.kill()
      list[index] = what === 'facade' ? await world.facade(redis) : await world.worker(redis)
    }
  }
  const worked = work()
  return {
    async stop() {
      stopping.abort()
      await worked
    },
  }
}

/** Calls whose time ends while no worker is there, and after the server has died that would have given them up. */
async function giveUpAsTheServerDies(
  world: World,
  redis: { readonly url: string },
  facades: readonly Process[],
): Promise<void> {
  const victim = await world.facade(redis)
  const timeoutMs = 1_500
  const calls = Array.from({ length: GIVEN_UP }, (_, n): Made => {
    return { token: `late-${n}`, isOnce: false, ends: [] }
  })
  const asked = calls.map((call) => ask(victim.url, call, {}, 5_000, timeoutMs))
  await pause(700)
  world.fault('SIGKILL of the facade at which they wait')
  await victim.kill()
  await Promise.all(asked)
  await pause(timeoutMs)
  const before = startsIn(world)
  await world.worker(redis)
  const last: Made = { token: 'last', isOnce: false, ends: [] }
  // It is behind all of them in the queue.
  await askUntilTold(world, facades, last)
  const started = startsIn(world) - before - 1
  world.claim(started === 0, `${started} of ${GIVEN_UP} calls were started after their time`)
}

function startsIn(world: World): number {
  return world.readEffects().filter(({ phase }) => phase === 'start').length
}

function claimAll(world: World, made: readonly Made[]): void {
  const startsOf = new Map<string, number>()
  for (const { round, phase } of world.readEffects())
    if (phase === 'start') startsOf.set(round, (startsOf.get(round) ?? 0) + 1)
  for (const { token, isOnce, ends } of made) {
    const told = new Set(ends.map((end) => JSON.stringify(end)))
    world.claim(ends.length > 0, `${token} has no end`)
    world.claim(told.size <= 1, `${token} was told ${told.size} ends: ${[...told].join(' and ')}`)
    const starts = startsOf.get(ends[0]?.round ?? '') ?? 0
    world.claim(!isOnce || starts <= 1, `${token}, which is to start once, was started ${starts} times`)
    const isEnd = ends.every(({ outcome, reason }) => outcome === 'completed' || Boolean(reason))
    world.claim(isEnd, `${token} failed without a reason`)
  }
}
