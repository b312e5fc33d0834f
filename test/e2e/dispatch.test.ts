import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { promisify } from 'node:util'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { LedRoundJson } from '../../src/core/rounds/round-wire.ts'
import { type Board, lookAtBoard } from '../support/board.ts'
import type { Process } from '../support/processes.ts'
import { builtPath, program } from '../support/program.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { startServeProcess, startWorkProcess } from '../support/serve-process.ts'

const run = promisify(execFile)
const ROUNDS = 1_000

let redis: TestRedis
let client: Redis
let facades: Process[]
let board: Board
const processes: Process[] = []

beforeAll(async () => {
  redis = await startRedis()
  client = new Redis(redis.url)
  board = lookAtBoard(redis, 'probe')
  facades = await Promise.all([1, 2].map(() => startServeProcess({ REDIS_URL: redis.url })))
})

afterEach(async () => {
  await Promise.all(processes.splice(0).map((process) => process.kill()))
})

afterAll(async () => {
  await Promise.all(facades.map((facade) => facade.stop()))
  await board.stop()
  client.disconnect()
  await redis.stop()
})

async function startWorkers(count: number): Promise<Process[]> {
  const started = await Promise.all(
    Array.from({ length: count }, () =>
      startWorkProcess(builtPath('test/support/workers'), { REDIS_URL: redis.url }),
    ),
  )
  processes.push(...started)
  return started
}

async function submit(round: string, body: object): Promise<Response> {
  return fetch(`${facades[0]?.url}/api/v1/submit/jobs/${round}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ worker: 'probe', ...body }),
  })
}

async function read(round: string): Promise<LedRoundJson> {
  const reply = await fetch(`${facades[1]?.url}/api/v1/rounds/jobs/${round}`)
  return (await reply.json()) as LedRoundJson
}

const starts = (round: string) => client.lrange(`probe:started:jobs~${round}`, 0, -1)
const ends = (round: string) => client.lrange(`probe:ended:jobs~${round}`, 0, -1)
const until = <T>(read: () => Promise<T>) => expect.poll(read, { timeout: 40_000, interval: 100 })

describe('five replicas, two facades and three workers', () => {
  it(`run each of ${ROUNDS} rounds once, and every replica is told the same`, async () => {
    await startWorkers(3)
    const system = 'fleet'
    const urls = facades.map(({ url }) => url)
    const replicas = await Promise.all(
      Array.from({ length: 5 }, (_, n) => {
        const mine = n % 2 ? urls : [...urls].reverse()
        return run(process.execPath, [
          ...program('test/support/submitter.ts'),
          system,
          String(ROUNDS),
          ...mine,
        ])
      }),
    )
    const answers = replicas.map(
      ({ stdout }) => JSON.parse(stdout) as { isFirst: boolean; submittedAt: string }[],
    )
    for (let n = 0; n < ROUNDS; n += 1) {
      const ofRound = answers.map((answer) => answer[n])
      expect(ofRound.filter((answer) => answer?.isFirst)).toHaveLength(1)
      expect(new Set(ofRound.map((answer) => answer?.submittedAt)).size).toBe(1)
    }
    const keys = (kind: string) =>
      Array.from({ length: ROUNDS }, (_, n) => `probe:${kind}:${system}~round-${n}`)
    const counts = (kind: string) => Promise.all(keys(kind).map((key) => client.llen(key)))
    await until(async () => (await counts('ended')).filter((count) => count > 0).length).toBe(ROUNDS)
    expect(new Set(await counts('started'))).toEqual(new Set([1]))
    expect(new Set(await counts('ended'))).toEqual(new Set([1]))
  }, 120_000)
})

describe('a worker killed with SIGKILL in the middle of its jobs', () => {
  /** Four workers, each killed when it runs five rounds; then one that is not. */
  async function killTwenty(body: object): Promise<string[]> {
    const rounds: string[] = []
    for (let wave = 0; wave < 4; wave += 1) {
      const [victim] = await startWorkers(1)
      const fresh = Array.from({ length: 5 }, () => randomUUID())
      rounds.push(...fresh)
      await Promise.all(fresh.map((round) => submit(round, { data: { sleepMs: 3_000 }, ...body })))
      await until(async () =>
        Math.min(...(await Promise.all(fresh.map(starts))).map((all) => all.length)),
      ).toBe(1)
      await victim?.kill()
    }
    await startWorkers(1)
    return rounds
  }

  it('has its rounds run again under higher fences, and each completed once: 20 rounds', async () => {
    const rounds = await killTwenty({})
    for (const round of rounds) {
      await until(async () => (await read(round)).state).toBe('completed')
      const all = await starts(round)
      expect(all.length).toBeGreaterThan(1)
      expect(await ends(round)).toHaveLength(1)
      const fences = all.map((start) => Number(start.split(':')[1]))
      expect(fences).toEqual([...new Set(fences)].sort((a, b) => a - b))
      expect((await read(round)).fence).toBe(fences.at(-1))
    }
  }, 180_000)

  it('has none of its rounds started twice where that was asked for, and each ends failed: 20 rounds', async () => {
    const rounds = await killTwenty({ ifExecutorDies: 'fail' })
    for (const round of rounds) {
      await until(async () => (await read(round)).state).toBe('failed')
      expect(await starts(round)).toHaveLength(1)
      expect((await read(round)).completion?.reason).toContain('may be started only once')
    }
  }, 180_000)
})

describe('a handler that leaves what it does not await', () => {
  it.each(['progress', 'log', 'promise'] as const)(
    'and that is rejected, a %s, ends as it ends, and so do the jobs beside it',
    async (leaves) => {
      const [worker] = await startWorkers(1)
      const rounds = [randomUUID(), randomUUID()]
      await Promise.all(
        rounds.map((round, n) => submit(round, { data: { sleepMs: 500, ...(n && { leaves }) } })),
      )
      for (const round of rounds) {
        await until(async () => (await read(round)).state).toBe('completed')
        expect(await starts(round)).toHaveLength(1)
      }
      expect(worker?.child.exitCode).toBe(null)
      expect(await worker?.stop()).toBe(0)
    },
    60_000,
  )
})

describe('a worker stopped with SIGSTOP beyond its lock and continued', () => {
  it('has its completion refused, the other one stands, and the board shows both', async () => {
    const [sleeper] = await startWorkers(1)
    const round = randomUUID()
    await submit(round, { data: { sleepMs: 1_000 } })
    await until(async () => (await starts(round)).length).toBe(1)
    sleeper?.child.kill('SIGSTOP')
    await startWorkers(1)
    await until(async () => (await read(round)).state).toBe('completed')
    const completed = await read(round)
    sleeper?.child.kill('SIGCONT')
    const log = () => board.log({ system: 'jobs', round })
    await until(async () => (await log()).join('\n')).toMatch(
      /fence 1.*refused|under fence \d+ refused|gate could not be held/,
    )
    expect(await read(round)).toEqual(completed)
    expect((await board.job({ system: 'jobs', round }))?.state).toBe('completed')
    expect((await starts(round)).length).toBe(2)
  }, 120_000)
})
