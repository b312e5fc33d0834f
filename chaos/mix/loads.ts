import { ENDINGS } from '../endings.ts'
import { type Load, type LoadOptions, names, type Play, startLoad, untilTold } from '../load.ts'
import { each } from '../world.ts'
import type { Stage } from './stage.ts'

/** So that a segment ends with as many rounds as can be looked at one by one in seconds. */
const PAUSE_MS = 100

/** What goes on while things fail: elections of every kind, and jobs. */
export function startLoads({ world, strong, weak }: Stage): Load[] {
  const kinds: readonly LoadOptions[] = [
    { lanes: 2, system: 'plain' },
    { lanes: 2, leaseMs: 20_000, system: 'leased' },
    { lanes: 1, leaseMs: 1_000, system: 'short' },
    { lanes: 1, isAnonymous: true, system: 'anonymous' },
    { lanes: 1, play: playTeams, system: 'teams' },
    { lanes: 1, play: submitJob, system: 'jobs' },
  ]
  return kinds.map((kind) => startLoad(world, [...strong, weak], { pauseMs: PAUSE_MS, ...kind }))
}

/** Each token is sent by several replicas at once; of those who lead, all report at once, with a stranger and a failure. */
const playTeams: Play = async (world, facades, round, { system }, random) => {
  const tokens = names(round, 2).flatMap((token) => [token, token, token])
  const told = await Promise.all(
    tokens.map((token) => untilTold(world, facades, 'elect', round, { token }, random, system)),
  )
  const winner = tokens.find((_, n) => told[n]?.status === 202)
  const team = told.filter((answer, n) => tokens[n] === winner && answer.result === 'ok')
  const isOne = team.every(({ status }) => status === 202)
  world.claim(isOne, `${system}/${round}: calls with the one token ${winner} were told different things`)
  if (winner === undefined) return
  const stranger = `${round}-stranger`
  await Promise.all([
    ...[winner, winner, stranger].map((token) =>
      untilTold(world, facades, 'complete', round, { token }, random, system),
    ),
    untilTold(world, facades, 'fail', round, { token: winner, reason: 'gave up' }, random, system),
  ])
}

/** One job, submitted by two replicas at once. Now and then it fails, ends in a way that is no result, or kills its worker before or after its effect. */
const submitJob: Play = async (world, facades, round, { system }, random) => {
  const diesAt = random.chance(0.04) ? random.pick(['before', 'after'] as const) : undefined
  const data = {
    sleepMs: random.int(0, 1_000),
    ...(random.chance(0.1) && { fails: true }),
    ...(random.chance(0.1) && { ends: random.pick(Object.keys(ENDINGS)) }),
    ...(diesAt && { diesAt }),
  }
  const body = { worker: 'probe', data }
  if (diesAt) world.fault(`a worker dies ${diesAt} the effect of ${round}`)
  await each(
    [1, 2],
    async () => void (await untilTold(world, facades, 'submit', round, { body }, random, system)),
  )
  await world.pause(random.int(0, 300))
}
