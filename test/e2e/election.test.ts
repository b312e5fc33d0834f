import { Agent, request } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Process } from '../support/processes.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { startServeProcess } from '../support/serve-process.ts'

const ROUNDS = 1_000
const CANDIDATES = 100
/** How many rounds run side by side, so that the candidates of several rounds mix on the wire. */
const AT_ONCE = 4

interface Answer {
  readonly status: number
  readonly leader: string
  readonly fence: string
}

let redis: TestRedis
let facades: Process[]
const agent = new Agent({ keepAlive: true, maxSockets: 100 })

beforeAll(async () => {
  redis = await startRedis()
  facades = await Promise.all([1, 2].map(() => startServeProcess({ REDIS_URL: redis.url })))
})

afterAll(async () => {
  agent.destroy()
  await Promise.all(facades.map((facade) => facade.stop()))
  await redis.stop()
})

function elect(url: string, round: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const call = request(`${url}/api/v1/elect/race/${round}`, { agent }, (response) => {
      response.resume()
      response.once('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          leader: String(response.headers['gone-leader']),
          fence: String(response.headers['gone-fence']),
        }),
      )
    })
    call.once('error', reject)
    call.end()
  })
}

async function race(round: string): Promise<void> {
  const answers = await Promise.all(
    Array.from({ length: CANDIDATES }, (_, n) => elect((facades[n % 2] as Process).url, round)),
  )
  const winners = answers.filter((answer) => answer.status === 202)
  const losers = answers.filter((answer) => answer.status === 204)
  expect([winners.length, losers.length]).toEqual([1, CANDIDATES - 1])
  const [winner] = winners
  for (const loser of losers) expect(loser).toEqual({ ...winner, status: 204 })
  const elected = await Promise.all(facades.map(({ url }) => fetch(`${url}/api/v1/elected/race/${round}`)))
  expect(await Promise.all(elected.map((reply) => reply.text()))).toEqual([winner?.leader, winner?.leader])
}

describe('two facades and one Redis', () => {
  it(`elect one of ${CANDIDATES} candidates in each of ${ROUNDS} rounds, and every loser agrees who leads`, async () => {
    let next = 0
    const lane = async () => {
      while (next < ROUNDS) {
        next += 1
        await race(`round-${next}`)
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, lane))
    expect(next).toBe(ROUNDS)
  }, 240_000)
})
