import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { LedRoundJson } from '../../src/core/rounds/round-wire.ts'
import { type Board, lookAtBoard } from '../support/board.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { startTestWorkers } from '../support/work.ts'

let redis: TestRedis
let server: TestServer
const boards: Board[] = []

beforeAll(async () => {
  redis = await startRedis()
  server = await startTestServer({ redis })
})

afterAll(async () => {
  for (const board of boards) await board.stop()
  await server.stop()
  await redis.stop()
})

/** A new worker's round, submitted; and its end. */
async function endOf(worker: string): Promise<LedRoundJson> {
  const url = `${server.url}/api/v1`
  const reply = await fetch(`${url}/submit/mail/${worker}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ worker }),
  })
  expect(reply.status).toBe(202)
  return (await (await fetch(`${url}/rounds/mail/${worker}?wait=50s`)).json()) as LedRoundJson
}

const newWorker = () => `w${randomUUID()}`
const boardOf = (worker: string): Board => {
  const board = lookAtBoard(redis, worker)
  boards.push(board)
  return board
}
const idOf = (round: string) => ({ system: 'mail', round })

describe('the log of a job', () => {
  const KB = 'x'.repeat(1_000)

  it.each([
    ['awaited', true],
    ['not awaited', false],
  ])(
    'of 20,000 lines of 1 KB, %s, is 1,000 of them and a note, and the round completes',
    async (_, awaits) => {
      const worker = newWorker()
      await startTestWorkers(redis, {
        [worker]: async (_, context) => {
          for (let line = 0; line < 20_000; line += 1) {
            const written = context.log(`${line} ${KB}`)
            if (awaits) await written
          }
        },
      })
      expect(await endOf(worker)).toMatchObject({ state: 'completed' })
      const lines = await boardOf(worker).log(idOf(worker))
      expect(lines).toHaveLength(1_001)
      expect(lines[999]).toBe(`999 ${KB}`)
      expect(lines[1_000]).toBe('… the log ends here: more than 1000 lines')
    },
    60_000,
  )

  it('is as long as is set, also over several attempts, and its lines are cut between characters', async () => {
    const worker = newWorker()
    await startTestWorkers(
      redis,
      {
        [worker]: async (_, context) => {
          await context.log(`${context.attempt} ${'ä'.repeat(10_000_000)}`)
          await context.log('second')
          if (context.attempt < 3) throw new Error('again')
        },
      },
      { env: { GONE_JOB_LOG_LINES: '3' } },
    )
    expect(await endOf(worker)).toMatchObject({ state: 'completed' })
    const lines = await boardOf(worker).log(idOf(worker))
    expect(lines).toEqual([
      expect.stringMatching(/^1 ä+ … cut: a longer line$/),
      'second',
      expect.stringMatching(/^2 ä+ … cut: a longer line$/),
      '… the log ends here: more than 3 lines',
    ])
    for (const line of lines) expect(Buffer.byteLength(line)).toBeLessThanOrEqual(4_096)
  }, 60_000)
})

describe('the progress of a job', () => {
  it('of 10 MB is not shown, which the log says, and fails nothing', async () => {
    const worker = newWorker()
    await startTestWorkers(redis, {
      [worker]: async (_, context) => {
        await context.progress({ sent: 1 })
        await context.progress({ sent: 'x'.repeat(10_000_000) })
      },
    })
    expect(await endOf(worker)).toMatchObject({ state: 'completed' })
    const board = boardOf(worker)
    expect((await board.job(idOf(worker)))?.job.progress).toEqual({ sent: 1 })
    expect(await board.log(idOf(worker))).toEqual([
      '… a progress was not shown: 10000011 bytes of JSON, more than 4096',
    ])
  }, 60_000)
})

describe('the result and the reason of a job', () => {
  it.each([
    [60_000, { sent: 'x'.repeat(60_000) }],
    [10_000_000, '… not kept: 10000011 bytes of JSON, more than 65536'],
  ])(
    'of %d bytes are kept within bounds',
    async (bytes, kept) => {
      const worker = newWorker()
      await startTestWorkers(redis, { [worker]: async () => ({ sent: 'x'.repeat(bytes) }) })
      expect(await endOf(worker)).toMatchObject({ state: 'completed' })
      const board = boardOf(worker)
      // The record is finished before the job is.
      await expect
        .poll(async () => (await board.job(idOf(worker)))?.state, { timeout: 45_000 })
        .toBe('completed')
      expect((await board.job(idOf(worker)))?.job.returnvalue).toEqual(kept)
    },
    60_000,
  )

  it('a reason of 10 MB is cut in record and job', async () => {
    const worker = newWorker()
    await startTestWorkers(
      redis,
      {
        [worker]: async () => {
          throw new Error('x'.repeat(10_000_000))
        },
      },
      { attempts: 1 },
    )
    expect((await endOf(worker)).completion).toMatchObject({ outcome: 'failed', reason: 'x'.repeat(1_000) })
    const board = boardOf(worker)
    await expect.poll(async () => (await board.job(idOf(worker)))?.state, { timeout: 45_000 }).toBe('failed')
    const { failedReason, stacktrace } = (await board.job(idOf(worker)))?.job ?? {}
    expect(failedReason).toHaveLength(1_000)
    expect(JSON.stringify(stacktrace).length).toBeLessThan(5_000)
  }, 60_000)
})
