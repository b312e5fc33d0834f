import { pause } from '../src/waiting.ts'
import type { Ask } from './caller.ts'
import type { Operation, Return } from './history.ts'
import type { Random } from './random.ts'
import type { World } from './world.ts'

interface Target {
  readonly url: string
}

export interface LoadOptions {
  readonly lanes?: number
  readonly candidates?: number
  readonly leaseMs?: number
  readonly system?: string
  /** Candidates without a token: who gets no answer is gone. */
  readonly isAnonymous?: true
  /** Between two rounds of a lane. */
  readonly pauseMs?: number
  /** How each round is played, if not as {@link playRound} does. */
  readonly play?: Play
}

export type Play = (
  world: World,
  facades: readonly Target[],
  round: string,
  options: LoadOptions,
  random: Random,
) => Promise<unknown>

export interface Load {
  /** How many rounds have been played. */
  readonly rounds: number
  stop(): Promise<void>
}

const TRIES = 60
/** How many winners ask once more when they have reported. */
const ASKS_AGAIN = 0.25
const RETRY_MS = 100

/** Plays rounds one after the other in a few lanes: candidates race at facades drawn by lot, and the winner completes. */
export function startLoad(world: World, facades: readonly Target[], options: LoadOptions = {}): Load {
  const { lanes = 4, pauseMs = 0, play = playRound } = options
  let isOver = false
  let rounds = 0
  const running = Array.from({ length: lanes }, async (_, lane) => {
    const random = world.random.fork(`lane ${lane}`)
    for (let n = 0; !isOver && !world.isEnded; n += 1) {
      await play(world, facades, `${lane}-${n}`, options, random)
      rounds += 1
      if (pauseMs > 0) await world.pause(pauseMs)
    }
  })
  const ended = Promise.all(running)
  ended.catch(() => undefined)
  return {
    get rounds() {
      return rounds
    },
    async stop() {
      isOver = true
      await ended
    },
  }
}

/** One round: candidates race for it, the winner completes it. Returns the winner's token. */
export async function playRound(
  world: World,
  facades: readonly Target[],
  round: string,
  options: LoadOptions = {},
  random: Random = world.random,
): Promise<string | undefined> {
  const { candidates = 3, leaseMs, system, isAnonymous } = options
  const lease = leaseMs !== undefined && { leaseMs }
  const tokens = Array.from({ length: candidates }, (_, n) => `${round}-${n}`)
  const told = await Promise.all(
    tokens.map((token) =>
      untilTold(world, facades, 'elect', round, { ...lease, ...(!isAnonymous && { token }) }, random, system),
    ),
  )
  const winner = told.findIndex(({ status }) => status === 202)
  if (winner < 0) return undefined
  const token = tokens[winner] as string
  const { fence } = told[winner] as Return
  const proof = isAnonymous ? (fence === undefined ? {} : { fence }) : { token }
  await untilTold(world, facades, 'complete', round, proof, random, system)
  // As a caller does whose first answer was lost on the way, somewhere.
  if (!isAnonymous && random.chance(ASKS_AGAIN)) {
    await untilTold(world, facades, 'elect', round, { ...lease, token }, random, system)
  }
  return token
}

/** Asks again, anywhere, until there is an answer. Without a token or fence each time as somebody else. */
export async function untilTold(
  world: World,
  facades: readonly Target[],
  op: Operation,
  round: string,
  ask: Ask,
  random: Random = world.random,
  system?: string,
): Promise<Return> {
  for (let left = TRIES; ; left -= 1) {
    const answer = await world.to(random.pick(facades).url, system).call(op, round, ask)
    if (
      answer.result === 'ok' ||
      ((answer.status ?? 0) >= 400 && (answer.status ?? 0) < 500) ||
      left <= 1 ||
      world.isEnded
    )
      return answer
    await pause(RETRY_MS)
  }
}

/** Lets the load play so many rounds more. */
export async function untilPlayed(world: World, load: Load, more: number): Promise<void> {
  const goal = load.rounds + more
  await world.until(() => load.rounds >= goal, `${more} rounds are played`)
}

export function names(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, n) => `${prefix}-${n}`)
}
