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

const WITHIN_30_S = { timeout: 30_000, interval: 200 }
const state = async (round: string) => (await board.job({ system: 'crash', round }))?.state

describe('a facade killed with SIGKILL', () => {
  it('between deciding and queueing leaves a led round, whose job another facade adds', async () => {
    const env = { REDIS_URL: redis.url }
    const [survivor, dying] = await Promise.all([startServeProcess(env), startDyingFacade('open', env)])
    const round = randomUUID()
    const died = once(dying.child, 'exit')
    await expect(fetch(`${dying.url}/api/v1/elect/crash/${round}?candidate=anna`)).rejects.toThrow()
    await died

    expect((await fetch(`${survivor.url}/api/v1/elected/crash/${round}`)).status).toBe(200)
    expect(await state(round)).toBeUndefined()
    await expect.poll(() => state(round), WITHIN_30_S).toBe('delayed')
    // The winner whose reply was lost asks again and is still the leader.
    const again = await fetch(`${survivor.url}/api/v1/elect/crash/${round}?candidate=anna`)
    expect([again.status, again.headers.get('gone-fence')]).toEqual([202, '1'])
    await survivor.stop()
  })

  it('between deciding and queueing has its job added at once when the round is touched again', async () => {
    const env = { REDIS_URL: redis.url }
    const dying = await startDyingFacade('open', env)
    const round = randomUUID()
    await expect(fetch(`${dying.url}/api/v1/elect/crash/${round}?candidate=anna`)).rejects.toThrow()
    const next = await startServeProcess(env)
    expect((await fetch(`${next.url}/api/v1/elect/crash/${round}?candidate=anna`)).status).toBe(202)
    expect(await state(round)).toBe('delayed')
    await next.stop()
  })

  it('between recording a completion and ending the job has the job ended by another', async () => {
    const env = { REDIS_URL: redis.url }
    const dying = await startDyingFacade('close', env)
    const round = randomUUID()
    expect((await fetch(`${dying.url}/api/v1/elect/crash/${round}?candidate=anna`)).status).toBe(202)
    const died = once(dying.child, 'exit')
    await expect(fetch(`${dying.url}/api/v1/complete/crash/${round}?candidate=anna`)).rejects.toThrow()
    await died

    const next = await startServeProcess(env)
    expect((await fetch(`${next.url}/api/v1/completed/crash/${round}`)).status).toBe(200)
    await expect.poll(() => state(round), WITHIN_30_S).toBe('completed')
    expect((await fetch(`${next.url}/api/v1/complete/crash/${round}?candidate=anna`)).status).toBe(200)
    await next.stop()
  })
})
