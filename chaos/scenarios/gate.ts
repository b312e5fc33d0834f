import type { Process } from '../../test/support/processes.ts'
import type { TestRedis } from '../../test/support/redis.ts'
import { names, playRound, startLoad, untilPlayed, untilTold } from '../load.ts'
import type { Scenario } from '../scenario.ts'
import { each, type World } from '../world.ts'
import { adminOf } from './redis.ts'

/** A gate of three Redis nodes, independent of the records'. */
export const GATE: readonly Scenario[] = [
  {
    name: 'gate-node-down',
    proves: 'with one of three gate nodes dead elections go on, and each round has one leader',
    async run(world) {
      const { facades, nodes } = await startGated(world)
      const load = startLoad(world, facades, { candidates: 4 })
      for (const node of nodes) {
        await untilPlayed(world, load, 15)
        world.fault('SIGKILL of a gate node')
        await node.kill()
        await untilPlayed(world, load, 15)
        await node.restart()
      }
      await load.stop()
    },
  },
  {
    name: 'gate-node-slow',
    proves:
      'with one of three gate nodes 800 ms away nobody waits for it: a majority decides who passes, and who does not',
    async run(world) {
      const redis = await world.redis()
      const nodes = await startNodes(world, 'always')
      const wire = await world.proxy(nodes[2]?.port ?? 0)
      const urls = nodes.map(({ url }, n) => (n === 2 ? wire.redisUrl : url))
      const facades = await world.facadesOn(2, redis, { env: { GATE_REDIS_URLS: urls.join(',') } })
      for (const round of names('before', 5)) await playRound(world, facades, round)
      world.fault('a gate node answers after 800 ms')
      // There, and back again.
      wire.delay(400)
      const tookMs: number[] = []
      for (const round of names('round', 12)) {
        const told = await Promise.all(
          names(round, 4).map(async (token, n) => {
            const startMs = performance.now()
            const answer = await world.to(facades[n % 2] ?? '').elect(round, { token })
            tookMs.push(performance.now() - startMs)
            return answer
          }),
        )
        const isDecided = told.every(({ result }) => result === 'ok')
        world.claim(isDecided, `${round}: answered ${told.map(({ status }) => status).join(', ')}`)
      }
      for (const round of names('held', 4)) {
        // As a facade leaves it that died between gate and record.
        for (const node of nodes.slice(0, 2)) {
          await adminOf(world, node).set(`gone:gate:chaos~${round}`, 'of the dead', 'PX', 1_000)
        }
        const told = await world.to(facades[0] ?? '').elect(round, { token: round })
        world.claim(told.status === 202, `${round}: whom the gate let through was told ${told.status}`)
      }
      const medianMs = tookMs.sort((a, b) => a - b)[Math.floor(tookMs.length / 2)] ?? 0
      world.claim(medianMs < 600, `half of the answers took more than ${Math.round(medianMs)} ms`)
      wire.heal()
    },
  },
  {
    name: 'gate-majority-down',
    proves: 'with two of three gate nodes dead nobody new is elected, and nobody is told that it lost',
    isShort: true,
    async run(world) {
      const { facades, nodes } = await startGated(world)
      for (const round of names('before', 10)) await playRound(world, facades, round)
      world.fault('SIGKILL of two gate nodes')
      await Promise.all([nodes[0]?.kill(), nodes[1]?.kill()])
      const answers = await Promise.all(
        names('round', 20).map((round, n) => world.to(facades[n % 2] ?? '').elect(round, { token: round })),
      )
      const wrong = answers.filter(({ result }) => result !== 'unknown').length
      world.claim(wrong === 0, `${wrong} of 20 elections without a majority were answered`)
      await Promise.all([nodes[0]?.restart(), nodes[1]?.restart()])
    },
  },
  {
    name: 'gate-node-wiped',
    proves:
      'gate nodes that come back empty, one by one under load, let no second leader in: the record decides',
    async run(world) {
      const { facades, nodes } = await startGated(world, 'off')
      const load = startLoad(world, facades, { candidates: 4 })
      for (const node of [...nodes, ...nodes]) {
        await untilPlayed(world, load, 10)
        world.fault('a gate node is killed and comes back empty')
        await node.kill()
        await node.restart()
      }
      await load.stop()
    },
  },
  {
    name: 'gate-remembers',
    proves: 'the record of a round that was led is lost, and the gate lets no second leader in',
    isShort: true,
    async run(world) {
      const { facades, redis, nodes } = await startGated(world, 'always', 'off')
      const rounds = names('round', 20)
      for (const round of rounds) await world.to(facades[0] ?? '').elect(round, { token: `${round}-first` })
      world.fault('SIGKILL of a Redis without an AOF: the records are gone')
      await redis.kill()
      await redis.restart()
      world.checkOptions = { recordsAreLost: true }
      world.isStoreLost = true
      const late = await world.facade(redis, { env: gateOf(nodes) })
      await each(rounds, async (round) => {
        const told = await untilTold(world, [late], 'elect', round, { token: `${round}-second` })
        world.claim(told.status === 204, `${round}: a second candidate was answered ${told.status}`)
        // Its leader reports, and nobody runs it again when the gate has ended.
        await untilTold(world, [late], 'complete', round, { token: `${round}-first` })
      })
    },
  },
  {
    name: 'gate-holder-killed',
    proves:
      'a facade dies between the gate and the record: whoever asks next leads within seconds, and nobody is told that it lost',
    isShort: true,
    async run(world) {
      const { facades, redis, nodes } = await startGated(world)
      const rounds = ['token', 'none'].map((name) => `${name}.before-decide`)
      const victims = await world.facadesOn(rounds.length, redis, { env: gateOf(nodes), failpoints: 'kill' })
      await each(rounds, async (round) => {
        const victim = victims[rounds.indexOf(round)] as Process
        const who = round.startsWith('token') ? { token: round } : {}
        world.fault('a facade dies between the gate and the record')
        const answer = await world.to(victim).elect(round, who)
        world.claim(
          answer.result === 'unknown',
          `${round}: the facade did not die, but answered ${answer.status}`,
        )
        await victim.ended
        const told = await untilTold(world, facades, 'elect', round, who)
        world.claim(told.status === 202, `${round}: who asked next was told ${told.status}`)
        await untilTold(world, facades, 'complete', round, who)
      })
    },
  },
  {
    name: 'gate-split',
    proves: 'a facade that reaches no gate node elects nobody, and the other facade goes on',
    async run(world) {
      const redis = await world.redis()
      const nodes = await startNodes(world, 'always')
      const wires = await Promise.all(nodes.map((node) => world.proxy(node.port)))
      const far = { GATE_REDIS_URLS: wires.map(({ redisUrl }) => redisUrl).join(',') }
      const facades = await Promise.all([
        world.facade(redis, { env: gateOf(nodes) }),
        world.facade(redis, { env: far }),
      ])
      const load = startLoad(world, facades, { candidates: 4 })
      await untilPlayed(world, load, 15)
      world.fault('one facade is cut off from all gate nodes')
      for (const wire of wires) wire.refuse()
      await untilPlayed(world, load, 15)
      for (const wire of wires) wire.heal()
      await untilPlayed(world, load, 15)
      await load.stop()
    },
  },
]

async function startNodes(world: World, aof: 'always' | 'off'): Promise<TestRedis[]> {
  return Promise.all([1, 2, 3].map(() => world.redis({ aof })))
}

function gateOf(nodes: readonly TestRedis[]): Record<string, string> {
  return { GATE_REDIS_URLS: nodes.map(({ url }) => url).join(',') }
}

async function startGated(
  world: World,
  nodesAof: 'always' | 'off' = 'always',
  aof: 'always' | 'off' = 'always',
): Promise<{ redis: TestRedis; nodes: TestRedis[]; facades: Process[] }> {
  const redis = await world.redis({ aof })
  const nodes = await startNodes(world, nodesAof)
  const facades = await world.facadesOn(2, redis, { env: gateOf(nodes) })
  return { redis, nodes, facades }
}
