import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { WorkerDefinition } from '../../src/client/define-worker.ts'
import type { LedRoundJson } from '../../src/core/rounds/round-wire.ts'
import { GoneError } from '../../src/errors.ts'
import { type Board, lookAtBoard } from '../support/board.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { startTestWorkers } from '../support/work.ts'

type Handler = WorkerDefinition['handler']

let redis: TestRedis
let server: TestServer
let board: Board

beforeAll(async () => {
  redis = await startRedis()
  server = await startTestServer({ redis })
  board = lookAtBoard(redis, 'mailer')
})

afterAll(async () => {
  await board.stop()
  await server.stop()
  await redis.stop()
})

async function submit(round: string, body: object): Promise<void> {
  const reply = await fetch(`${server.url}/api/v1/submit/mail/${round}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ worker: 'mailer', ...body }),
  })
  expect(reply.status).toBe(202)
}

/** The round as it has ended, a second after its handler at the latest. */
async function endOf(round: string): Promise<LedRoundJson> {
  const reply = await fetch(`${server.url}/api/v1/rounds/mail/${round}?wait=10s`)
  return (await reply.json()) as LedRoundJson
}

function named(name: string, message = 'said by the handler'): Error {
  return Object.assign(new Error(message), { name })
}

const refuse = () => {
  throw new Error('not to be looked at')
}
const unlookable = new Proxy(Object.freeze({}), { get: refuse, getPrototypeOf: refuse, has: refuse })

function circle(): object {
  const circle: Record<string, unknown> = {}
  circle.round = circle
  return circle
}

function deep(levels: number): unknown {
  let nested: unknown = []
  for (let level = 0; level < levels; level += 1) nested = [nested]
  return nested
}

const returned: readonly [string, () => unknown, string][] = [
  ['a BigInt', () => 7n, 'the BigInt 7 cannot be written as JSON'],
  ['a circle', circle, 'its result is not JSON: Converting circular structure'],
  ['what throws as it is written', () => ({ toJSON: refuse }), 'its result is not JSON: not to be looked at'],
  [
    'what throws as it is read',
    () => Object.defineProperty({}, 'sent', { enumerable: true, get: refuse }),
    'its result is not JSON: not to be looked at',
  ],
  ['20,000 levels', () => deep(20_000), 'its result is not JSON: Maximum call stack size exceeded'],
  ['a function', () => refuse, 'its result is not JSON: a function'],
  ['a symbol', () => Symbol('sent'), 'its result is not JSON: a symbol'],
  [
    'what throws as it is awaited',
    () => Object.defineProperty({}, 'then', { get: refuse }),
    'not to be looked at',
  ],
]

const thrown: readonly [string, unknown, string][] = [
  ['undefined', undefined, 'it threw undefined'],
  ['null', null, 'it threw null'],
  ['a symbol', Symbol('sent'), 'it threw Symbol(sent)'],
  ['an object without prototype', Object.create(null), 'it threw {}'],
  [
    'an error whose message throws',
    Object.defineProperty(new Error(), 'message', { get: refuse }),
    'it threw what cannot be read',
  ],
  [
    'an error whose message is an object',
    Object.assign(new Error(), { message: { code: 5 } }),
    'it threw an error whose message is {"code":5}',
  ],
  ['a frozen proxy that throws', unlookable, 'it threw what cannot be read'],
  ['an UnrecoverableError', named('UnrecoverableError'), 'said by the handler'],
  ['a DelayedError', named('DelayedError'), 'said by the handler'],
  ['a WaitingError', named('WaitingError'), 'said by the handler'],
  ['a WaitingChildrenError', named('WaitingChildrenError'), 'said by the handler'],
  ['a RateLimitError', named('RateLimitError', 'bullmq:rateLimitExceeded'), 'bullmq:rateLimitExceeded'],
  [
    'a GoneError that says retry',
    new GoneError('STORE_UNAVAILABLE', 'said by the handler'),
    'said by the handler',
  ],
]

describe('a handler that', () => {
  it.each(returned)('returns %s fails its round with the reason', async (_, result, reason) => {
    const end = await playOut(async () => result(), 1)
    expect(end.completion?.reason).toContain(reason)
  })

  it.each(thrown)('throws %s fails its round with the reason', async (_, error, reason) => {
    const end = await playOut(async () => {
      throw error
    }, 1)
    expect(end.completion?.reason).toBe(reason)
  })

  it.each(thrown)('throws %s has as many attempts as it was given', async (_, error) => {
    const end = await playOut(() => {
      throw error
    }, 3)
    expect(end.job?.starts).toBe(3)
  })

  /** Runs a round whose handler ends like this, and looks that it ended at once and is red on the board. */
  async function playOut(handler: Handler, attempts: number): Promise<LedRoundJson> {
    const round = randomUUID()
    let endedMs = 0
    await startTestWorkers(redis, {
      mailer(job, context) {
        endedMs = performance.now()
        return handler(job, context)
      },
    })
    await submit(round, { attempts, backoff: { type: 'fixed', delay: '10ms' } })
    const end = await endOf(round)
    expect(performance.now() - endedMs).toBeLessThan(20_000)
    expect(end.state).toBe('failed')
    await expect.poll(async () => (await board.job({ system: 'mail', round }))?.state).toBe('failed')
    const shown = (await board.job({ system: 'mail', round }))?.job.failedReason
    expect(shown).toContain(end.completion?.reason)
    return end
  }
})
