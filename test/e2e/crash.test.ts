import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Board, lookAtBoard } from '../support/board.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { startDyingFacade, startServeProcess } from '../support/serve-process.ts'

let redis: TestRedis
let board: Board

beforeAll(async () => {
  redis = await startRedis()
  board = lookAtBoard(redis)
})

afterAll(async () => {
  await board.stop()
  await redis.stop()
})

/** Of each kill all rounds are between their decision and their answer. */
const [KILLS, ROUNDS_A_KILL] = [4, 50]
const WITHIN_30_S = { timeout: 30_000, interval: 200 }
const state = async (round: string) => (await board.job({ system: 'crash', round }))?.state

describe('a facade killed with SIGKILL', () => {
  it('between deciding and answering leaves a led round, which another shows as overdue at its deadline', async () => {
    const env = { REDIS_URL: redis.url }
    const [survivor, dying] = await Promise.all([startServeProcess(env), startDyingFacade('decide', env)])
    const round = randomUUID()
    const died = once(dying.child, 'exit')
    const elect = `api/v1/elect/crash/${round}?candidate=anna&deadline=1s`
    await expect(fetch(`${dying.url}/${elect}`)).rejects.toThrow()
    await died

    expect((await fetch(`${survivor.url}/api/v1/elected/crash/${round}`)).status).toBe(200)
    await expect.poll(() => state(round), WITHIN_30_S).toBe('failed')
    // The winner whose reply was lost asks again and is still the leader.
    const again = await fetch(`${survivor.url}/${elect}`)
    expect([again.status, again.headers.get('gone-fence')]).toEqual([202, '1'])
    expect((await fetch(`${survivor.url}/api/v1/complete/crash/${round}?candidate=anna`)).status).toBe(200)
    await expect.poll(() => state(round), WITHIN_30_S).toBe('completed')
    await survivor.stop()
  })

  it("between deciding and answering leaves every round in its system's list and in that of all, at once: 200 of 200", async () => {
    const env = { REDIS_URL: redis.url }
    const survivor = await startServeProcess(env)
    const found: string[] = []
    for (let kill = 0; kill < KILLS; kill += 1) {
      const dying = await startDyingFacade('decide', env, ROUNDS_A_KILL)
      const died = once(dying.child, 'exit')
      const told = await Promise.all(
        Array.from({ length: ROUNDS_A_KILL }, (_, n) =>
          fetch(`${dying.url}/api/v1/elect/listed-${n % 5}/kill-${kill}-${n}`, { method: 'POST' }).then(
            ({ status }) => status,
            () => undefined,
          ),
        ),
      )
      // A machine that is loaded may have the server say that it does not know; nobody is told that they lead.
      expect(told.filter((status) => status !== undefined && status !== 500)).toEqual([])
      await died
      const list = async (query: string) => {
        const answer = await fetch(`${survivor.url}/console/api/rounds?limit=500${query}`)
        const { rounds } = (await answer.json()) as {
          rounds: { system: string; round: string; state: string }[]
        }
        return rounds.flatMap(({ system, round, state }) =>
          round.startsWith(`kill-${kill}-`) ? [`${system}/${round} ${state}`] : [],
        )
      }
      const ofEach = await Promise.all([0, 1, 2, 3, 4].map((n) => list(`&system=listed-${n}`)))
      const ofAll = await list('')
      expect(ofAll.toSorted()).toEqual(ofEach.flat().toSorted())
      found.push(...ofAll)
    }
    expect(found.filter((round) => round.endsWith(' led'))).toHaveLength(KILLS * ROUNDS_A_KILL)
    await survivor.stop()
  })

  it('between recording a completion and showing it has it shown by another', async () => {
    const env = { REDIS_URL: redis.url }
    const dying = await startDyingFacade('show', env)
    const round = randomUUID()
    expect((await fetch(`${dying.url}/api/v1/elect/crash/${round}?candidate=anna`)).status).toBe(202)
    const died = once(dying.child, 'exit')
    // Told behind the answer: what was acknowledged is not lost with who acknowledged it.
    expect((await fetch(`${dying.url}/api/v1/complete/crash/${round}?candidate=anna`)).status).toBe(200)
    await died
    expect(await state(round)).toBeUndefined()

    const next = await startServeProcess(env)
    expect((await fetch(`${next.url}/api/v1/completed/crash/${round}`)).status).toBe(200)
    await expect.poll(() => state(round), WITHIN_30_S).toBe('completed')
    expect((await fetch(`${next.url}/api/v1/complete/crash/${round}?candidate=anna`)).status).toBe(200)
    await next.stop()
  })
})
