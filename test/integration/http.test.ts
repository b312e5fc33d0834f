import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { type RoundId, roundKey } from '../../src/core/rounds/round.ts'
import type { LedRoundJson, TallyJson } from '../../src/core/rounds/round-wire.ts'
import { type Board, lookAtBoard } from '../support/board.ts'
import { bodyMembersOf, type OpenApi, type Operation, readOpenApi } from '../support/openapi.ts'
import { type Answer, type Call, expectProblem, send } from '../support/requests.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { startTestWorkers } from '../support/work.ts'

const JSON_TYPE = { 'content-type': 'application/json' }
const ACCEPT_JSON = { accept: 'application/json' }
const METHODS = ['GET', 'POST'] as const
const PATHS = [
  '/api/v1/alerts',
  '/api/v1/call/{system}/{worker}',
  '/api/v1/cancel/{system}/{round}',
  '/api/v1/complete/{system}/{round}',
  '/api/v1/completed/{system}/{round}',
  '/api/v1/elect/{system}/{round}',
  '/api/v1/elected/{system}/{round}',
  '/api/v1/expectations',
  '/api/v1/expectations/{system}/{name}',
  '/api/v1/expectations/{system}/{name}/slots',
  '/api/v1/fail/{system}/{round}',
  '/api/v1/fleet',
  '/api/v1/fleet/config',
  '/api/v1/fleet/config/{of}/{name}',
  '/api/v1/fleet/config/{of}/{name}/rollback',
  '/api/v1/fleet/events',
  '/api/v1/fleet/instances',
  '/api/v1/fleet/instances/{id}',
  '/api/v1/fleet/log',
  '/api/v1/fleet/marks',
  '/api/v1/fleet/orders',
  '/api/v1/fleet/orders/{id}',
  '/api/v1/fleet/pools',
  '/api/v1/fleet/pools/{name}',
  '/api/v1/fleet/pools/{name}/deploy',
  '/api/v1/fleet/pools/{name}/rollback',
  '/api/v1/fleet/pools/{name}/scale',
  '/api/v1/fleet/pulse',
  '/api/v1/fleet/series',
  '/api/v1/give-back/{system}/{round}',
  '/api/v1/keys',
  '/api/v1/queues',
  '/api/v1/renew/{system}/{round}',
  '/api/v1/retry/{system}/{round}',
  '/api/v1/rounds',
  '/api/v1/rounds/tally',
  '/api/v1/rounds/{system}/{round}',
  '/api/v1/rounds/{system}/{round}/job',
  '/api/v1/schedules',
  '/api/v1/schedules/{system}/{name}',
  '/api/v1/schedules/{system}/{name}/backfill',
  '/api/v1/schedules/{system}/{name}/next',
  '/api/v1/schedules/{system}/{name}/pause',
  '/api/v1/schedules/{system}/{name}/preview',
  '/api/v1/schedules/{system}/{name}/resume',
  '/api/v1/schedules/{system}/{name}/trigger',
  '/api/v1/slot',
  '/api/v1/status',
  '/api/v1/submit/{system}/{round}',
  '/api/v1/take/{worker}',
  '/healthz',
  '/metrics',
  '/readyz',
]

let server: TestServer
let board: Board
let rounds = 0

beforeAll(async () => {
  server = await startTestServer()
  board = lookAtBoard(server.redis)
})

afterAll(async () => {
  await board.stop()
  await server.stop()
})

/** A round that no other test uses. */
function newRound(): string {
  rounds += 1
  return `shop/round-${rounds}`
}

function call(step: string, round: string, more: Partial<Call> & { query?: string } = {}): Promise<Answer> {
  const { query = '', ...rest } = more
  return send(server.url, {
    method: 'POST',
    ...rest,
    path: `/api/v1/${step}/${round}${query && `?${query}`}`,
  })
}

const as = (token: string) => ({ headers: { 'gone-candidate': token } })
const withFence = (answer: Answer) => ({ headers: { 'gone-fence': String(answer.headers['gone-fence']) } })
const said = (body: unknown) => ({ headers: JSON_TYPE, body: JSON.stringify(body) })
const parsed = (answer: Answer) => JSON.parse(answer.text) as LedRoundJson
const fenceOf = (answer: Answer) => Number(answer.headers['gone-fence'])

function idOf(path: string): RoundId {
  const [system = '', round = ''] = path.split('/')
  return { system, round }
}

function jobOf(round: string) {
  return board.job(idOf(round))
}

/** The round's job once it is in the state. */
async function jobIn(state: string, round: string) {
  await vi.waitFor(async () => expect((await jobOf(round))?.state).toBe(state), 30_000)
  // Read again: a job is read before its state, and can be what it was just before.
  return ((await jobOf(round)) as NonNullable<Awaited<ReturnType<typeof jobOf>>>).job
}

/** Resolves when the call has come so far that it waits: nothing shows that from outside but a moment's silence. */
async function untilItWaits(waiting: Promise<Answer>): Promise<void> {
  const first = await Promise.race([waiting, new Promise((resolve) => setTimeout(resolve, 300))])
  expect(first).toBeUndefined()
}

describe.each(METHODS)('the four endpoints of the original, with %s', (method) => {
  it('answer 202 to the leader, 204 to the others, and its address to who asks', async () => {
    const round = newRound()
    expect(await call('elected', round, { method })).toMatchObject({ status: 204, text: '' })

    const leader = await call('elect', round, { method })
    expect(leader).toMatchObject({
      status: 202,
      text: '',
      headers: { 'cache-control': 'no-store', 'gone-leader': leader.caller, 'gone-state': 'led' },
    })
    expect(leader.headers['gone-fence']).toMatch(/^[1-9]\d*$/)

    for (let again = 0; again < 3; again += 1) {
      const loser = await call('elect', round, { method })
      expect(loser).toMatchObject({ status: 204, text: '', headers: { 'gone-leader': leader.caller } })
      expect(fenceOf(loser)).toBe(fenceOf(leader))
    }
    const elected = await call('elected', round, { method })
    expect(elected).toMatchObject({
      status: 200,
      text: leader.caller,
      headers: { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' },
    })
  })

  it('answer 200 to who completes, 400 to who comes second, and the address to who asks', async () => {
    const round = newRound()
    await call('elect', round, { method })
    expect(await call('completed', round, { method })).toMatchObject({ status: 204, text: '' })

    const completed = await call('complete', round, { method })
    expect(completed).toMatchObject({
      status: 200,
      text: '',
      headers: { 'cache-control': 'no-store', 'gone-state': 'completed' },
    })
    expect(expectProblem(await call('complete', round, { method }), 'COMPLETION_REFUSED')).toContain(round)
    expect(await call('completed', round, { method })).toMatchObject({ status: 200, text: completed.caller })
    expect(await call('elect', round, { method })).toMatchObject({
      status: 204,
      headers: { 'gone-state': 'completed' },
    })
  })

  it('let a round be completed that nobody was elected for', async () => {
    const round = newRound()
    const completed = await call('complete', round, { method })
    expect(completed.status).toBe(200)
    expect(await call('elected', round, { method })).toMatchObject({ status: 200, text: completed.caller })
    expect((await call('elect', round, { method })).status).toBe(204)
    await jobIn('completed', round)
  })
})

describe('who a candidate is', () => {
  it('is each call without a token, also on one connection', async () => {
    const round = newRound()
    const [first, second] = [await call('elect', round), await call('elect', round)]
    expect([first.status, second.status]).toEqual([202, 204])
    expect(second.caller).toBe(first.caller)
  })

  it('is the token, in the header or the query', async () => {
    const round = newRound()
    const first = await call('elect', round, as('me'))
    const again = [
      await call('elect', round, as('me')),
      await call('elect', round, { query: 'candidate=me' }),
      await call('elect', round, { ...as('me'), query: 'candidate=me', method: 'GET' }),
    ]
    expect(again.map(({ status }) => status)).toEqual([202, 202, 202])
    expect(new Set([first, ...again].map(fenceOf)).size).toBe(1)
    for (const other of [as('you'), as('Me'), {}])
      expect((await call('elect', round, other)).status).toBe(204)
  })

  it('lets only the token or the fence complete what was led with a token', async () => {
    const [byToken, byFence, byQuery] = [newRound(), newRound(), newRound()]
    const leaders = await Promise.all(
      [byToken, byFence, byQuery].map((round) => call('elect', round, as('me'))),
    )
    const [, second, third] = leaders as [Answer, Answer, Answer]
    for (const other of [as('you'), {}, { headers: { 'gone-fence': String(fenceOf(second) + 100) } }])
      expectProblem(await call('complete', byToken, other), 'COMPLETION_REFUSED')
    expect((await call('completed', byToken)).status).toBe(204)

    expect((await call('complete', byToken, as('me'))).status).toBe(200)
    expect((await call('complete', byFence, withFence(second))).status).toBe(200)
    expect((await call('complete', byQuery, { query: `fence=${fenceOf(third)}` })).status).toBe(200)
  })

  it('lets the leader report again, and say nothing else', async () => {
    const round = newRound()
    await call('elect', round, as('me'))
    const statuses = []
    for (let again = 0; again < 3; again += 1) statuses.push((await call('complete', round, as('me'))).status)
    expect(statuses).toEqual([200, 200, 200])
    expectProblem(await call('fail', round, as('me')), 'COMPLETION_REFUSED')
    expect((await call('completed', round)).status).toBe(200)
  })
})

describe('a lease', () => {
  it('gives the round to another when the leader is silent, under a higher fence', async () => {
    const round = newRound()
    const first = await call('elect', round, { ...as('first'), query: 'lease=1s' })
    expect((await call('elect', round, as('second'))).status).toBe(204)
    const second = await vi.waitFor(
      async () => {
        const answer = await call('elect', round, { ...as('second'), query: 'lease=30s' })
        expect(answer.status).toBe(202)
        return answer
      },
      { timeout: 30_000, interval: 50 },
    )
    expect(fenceOf(second)).toBeGreaterThan(fenceOf(first))
    expect((await call('elect', round, as('first'))).status).toBe(204)

    expect(expectProblem(await call('complete', round, as('first')), 'COMPLETION_REFUSED')).toContain(
      `fence ${fenceOf(second)}`,
    )
    expectProblem(await call('complete', round, withFence(first)), 'COMPLETION_REFUSED')
    expectProblem(await call('fail', round, as('first')), 'COMPLETION_REFUSED')
    expectProblem(await call('renew', round, as('first')), 'SUPERSEDED')
    expectProblem(await call('renew', round, withFence(first)), 'SUPERSEDED')
    expect((await call('completed', round)).status).toBe(204)

    expect(await jobOf(round)).toBeUndefined()
    expect((await call('complete', round, withFence(second))).status).toBe(200)
    const job = await jobIn('completed', round)
    expect(job.data).toEqual({ leader: second.caller, fence: fenceOf(second) })
    const logs = await send(server.url, { path: `/board/api/queues/rounds/${roundKey(idOf(round))}/logs` })
    expect(JSON.parse(logs.text)).toEqual([
      `${second.caller} (fence ${fenceOf(second)}) took over from ${first.caller} (fence ${fenceOf(first)})`,
    ])
  })

  it('is kept by renewing, and by asking again', async () => {
    const round = newRound()
    await call('elect', round, { ...as('me'), query: 'lease=3s' })
    const endMs = performance.now() + 7_500
    for (let turn = 0; performance.now() < endMs; turn += 1) {
      const sign = turn % 2 ? await call('elect', round, as('me')) : await call('renew', round, as('me'))
      expect(sign.status).toBe(turn % 2 ? 202 : 200)
      expect((await call('elect', round, as('you'))).status).toBe(204)
      // Time has to pass for a lease to lapse: two and a half times its length in all.
      await new Promise((resolve) => setTimeout(resolve, 250))
    }
  })

  it('can be renewed by another length', async () => {
    const round = newRound()
    const leader = await call('elect', round, { ...as('me'), query: 'lease=1s' })
    const renewed = await call('renew', round, {
      query: 'lease=1h',
      headers: { ...withFence(leader).headers, ...ACCEPT_JSON },
    })
    const { leaseMs, leaseExpiresAt = '', electedAt } = parsed(renewed)
    expect(leaseMs).toBe(3_600_000)
    expect(Date.parse(leaseExpiresAt) - Date.parse(electedAt)).toBeGreaterThanOrEqual(3_600_000)
  })

  it('cannot be renewed for a round that nobody leads, or that is finished', async () => {
    const round = newRound()
    expectProblem(await call('renew', round, as('me')), 'NOT_LED')
    expect((await call('elected', round)).status).toBe(204)
    await call('elect', round, { ...as('me'), query: 'lease=30s' })
    await call('complete', round, as('me'))
    expectProblem(await call('renew', round, as('me')), 'ROUND_FINISHED')
  })

  it('is not there unless asked for', async () => {
    const round = newRound()
    await call('elect', round, as('me'))
    const renewed = await call('renew', round, {
      query: 'lease=1s',
      headers: { ...as('me').headers, ...ACCEPT_JSON },
    })
    expect(renewed.status).toBe(200)
    expect(parsed(renewed)).not.toHaveProperty('leaseMs')
  })
})

describe('a failure', () => {
  it('ends the round with its reason', async () => {
    const round = newRound()
    const leader = await call('elect', round)
    expect((await call('fail', round, said({ reason: 'disk full' }))).status).toBe(200)
    expect((await call('completed', round)).status).toBe(204)
    expect(parsed(await call('rounds', round, { method: 'GET' }))).toMatchObject({
      state: 'failed',
      leader: leader.caller,
      completion: { outcome: 'failed', by: leader.caller, reason: 'disk full' },
    })
    expectProblem(await call('complete', round), 'COMPLETION_REFUSED')
    expect(await call('elect', round)).toMatchObject({ status: 204, headers: { 'gone-state': 'failed' } })
    expect((await jobIn('failed', round)).failedReason).toBe('disk full')
  })

  it('takes its reason from the query too, or none', async () => {
    const [asked, none] = [newRound(), newRound()]
    expect((await call('fail', asked, { query: 'reason=no+disk' })).status).toBe(200)
    expect((await jobIn('failed', asked)).failedReason).toBe('no disk')
    expect((await call('fail', none)).status).toBe(200)
    expect((await jobIn('failed', none)).failedReason).toMatch(/without a reason/)
  })
})

describe('a round on the board', () => {
  it('comes when it ends, completed with who and what and when', async () => {
    const round = newRound()
    const leader = await call('elect', round)
    expect(await jobOf(round)).toBeUndefined()
    const completed = await call('complete', round, said({ result: { rows: [1, null, 'é'] } }))
    const job = await jobIn('completed', round)
    expect(job.data).toEqual({ leader: leader.caller, fence: fenceOf(leader) })
    expect(job.returnvalue).toEqual({
      outcome: 'completed',
      completedBy: completed.caller,
      result: { rows: [1, null, 'é'] },
    })
    const { electedAt, completion } = parsed(await call('rounds', round, { method: 'GET' }))
    const times = [job.timestamp, job.processedOn, job.finishedOn]
    expect(times).toEqual([Date.parse(electedAt), undefined, Date.parse(completion?.at ?? '')])
  })

  it('is red when its deadline passes, and completed by a late report', async () => {
    const round = newRound()
    await call('elect', round, { query: 'deadline=1s' })
    const failed = await jobIn('failed', round)
    expect(failed.failedReason).toBe('no completion reported within 1 s')
    expect(parsed(await call('rounds', round, { method: 'GET' })).state).toBe('overdue')
    expect(await metric('gone_overdue_rounds')).toBe(1)
    expect(await call('elect', round)).toMatchObject({ status: 204, headers: { 'gone-state': 'overdue' } })

    expect((await call('complete', round)).status).toBe(200)
    const completed = await jobIn('completed', round)
    expect(completed.returnvalue).toMatchObject({ outcome: 'completed' })
    expect(parsed(await call('rounds', round, { method: 'GET' })).state).toBe('completed')
    expect(await metric('gone_overdue_rounds')).toBe(0)
  })

  it('shows the reason of a late failure', async () => {
    const round = newRound()
    await call('elect', round, { query: 'deadline=1s' })
    await jobIn('failed', round)
    expect((await call('fail', round, said({ reason: 'gave up' }))).status).toBe(200)
    await vi.waitFor(async () => expect((await jobOf(round))?.job.failedReason).toBe('gave up'), 30_000)
  })
})

describe('waiting', () => {
  it('makes a loser leader when the lease lapses', async () => {
    const round = newRound()
    const first = await call('elect', round, { ...as('first'), query: 'lease=1s' })
    const standby = await call('elect', round, { ...as('second'), query: 'lease=30s&wait=10s' })
    expect(standby.status).toBe(202)
    expect(standby.tookMs).toBeGreaterThan(500)
    expect(standby.tookMs).toBeLessThan(9_000)
    expect(fenceOf(standby)).toBeGreaterThan(fenceOf(first))
  })

  it('makes one of many losers leader', async () => {
    const round = newRound()
    await call('elect', round, { ...as('first'), query: 'lease=1s' })
    const standbys = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        call('elect', round, { ...as(`s-${n}`), query: 'lease=30s&wait=3s' }),
      ),
    )
    const statuses = standbys.map(({ status }) => status).sort()
    expect(statuses).toEqual([202, ...Array(19).fill(204)])
  })

  it.each([
    ['completed', 'complete'],
    ['failed', 'fail'],
  ])('ends at once when the round is %s', async (state, step) => {
    const round = newRound()
    await call('elect', round, as('leader'))
    const waiting = [
      call('elect', round, { ...as('loser'), query: 'wait=25s' }),
      call('elect', round, { query: 'wait=25s', method: 'GET' }),
      call('rounds', round, { query: 'wait=25s', method: 'GET' }),
    ]
    await Promise.all(waiting.map(untilItWaits))
    const reportedMs = performance.now()
    expect((await call(step, round, as('leader'))).status).toBe(200)
    const answers = await Promise.all(waiting)
    expect(performance.now() - reportedMs).toBeLessThan(15_000)
    expect(answers.map(({ status }) => status)).toEqual([204, 204, 200])
    for (const answer of answers) expect(answer.headers['gone-state']).toBe(state)
    expect(parsed(answers[2] as Answer).state).toBe(state)
  })

  it('costs nothing where the round is finished', async () => {
    const round = newRound()
    await call('complete', round)
    const answers = await Promise.all([
      call('elect', round, { query: 'wait=25s' }),
      call('rounds', round, { query: 'wait=25s', method: 'GET' }),
    ])
    expect(answers.map(({ status }) => status)).toEqual([204, 200])
    for (const answer of answers) expect(answer.tookMs).toBeLessThan(15_000)
  })

  it('leads at once where nobody does', async () => {
    const answer = await call('elect', newRound(), { query: 'wait=25s' })
    expect(answer.status).toBe(202)
    expect(answer.tookMs).toBeLessThan(15_000)
  })

  it('ends after its time', async () => {
    const [led, unknown] = [newRound(), newRound()]
    await call('elect', led)
    const answers = await Promise.all([
      call('elect', led, { query: 'wait=1s' }),
      call('rounds', led, { query: 'wait=1s', method: 'GET' }),
      call('rounds', unknown, { query: 'wait=1s', method: 'GET' }),
    ])
    expect(answers.map(({ status }) => status)).toEqual([204, 200, 404])
    for (const answer of answers) {
      expect(answer.tookMs).toBeGreaterThan(990)
      expect(answer.tookMs).toBeLessThan(15_000)
    }
  })

  it('sees a round that is led and finished only while it waits', async () => {
    const round = newRound()
    const waiting = call('rounds', round, { query: 'wait=25s', method: 'GET' })
    await untilItWaits(waiting)
    await call('elect', round)
    await call('complete', round)
    const answer = await waiting
    expect(answer.status).toBe(200)
    expect(parsed(answer).state).toBe('completed')
    expect(answer.tookMs).toBeLessThan(15_000)
  })
})

describe('one round', () => {
  it('is 404 until it is led', async () => {
    const round = newRound()
    expect(expectProblem(await call('rounds', round, { method: 'GET' }), 'NOT_LED')).toContain(round)
    const leader = await call('elect', round, { query: 'lease=30s&deadline=10m' })
    const answer = await call('rounds', round, { method: 'GET' })
    expect(answer.headers).toMatchObject({
      'content-type': 'application/json; charset=utf-8',
      'cache-control': 'no-store',
      'gone-state': 'led',
    })
    const { electedAt, ...rest } = parsed(answer)
    expect(Math.abs(Date.parse(electedAt) - Date.now())).toBeLessThan(10_000)
    const later = (ms: number) => new Date(Date.parse(electedAt) + ms).toISOString()
    expect(rest).toEqual({
      system: 'shop',
      round: round.split('/')[1],
      state: 'led',
      leader: leader.caller,
      fence: fenceOf(leader),
      deadlineAt: later(600_000),
      leaseMs: 30_000,
      leaseExpiresAt: later(30_000),
    })
  })

  it('is the answer to everybody who accepts JSON and gets a body', async () => {
    const round = newRound()
    const elected = await call('elect', round, { headers: ACCEPT_JSON })
    expect(elected.status).toBe(202)
    expect(parsed(elected)).toMatchObject({ system: 'shop', state: 'led', fence: fenceOf(elected) })
    expect(await call('elect', round, { headers: ACCEPT_JSON })).toMatchObject({ status: 204, text: '' })
    expect(parsed(await call('elected', round, { headers: ACCEPT_JSON }))).toEqual(parsed(elected))
    const completed = await call('complete', round, {
      headers: { ...ACCEPT_JSON, ...JSON_TYPE },
      body: '{"result":0}',
    })
    expect(parsed(completed)).toMatchObject({
      state: 'completed',
      completion: { outcome: 'completed', by: completed.caller, result: 0 },
    })
    expect(parsed(await call('completed', round, { headers: ACCEPT_JSON }))).toEqual(parsed(completed))
    expect(parsed(await call('rounds', round, { method: 'GET' }))).toEqual(parsed(completed))
  })

  it('tells nobody what identifies its leader', async () => {
    const round = newRound()
    await call('elect', round, as('my-secret-token'))
    const { text, headers } = await call('rounds', round, { method: 'GET' })
    expect(text + JSON.stringify(headers)).not.toContain('secret')
    expect(Object.keys(JSON.parse(text))).not.toContain('identity')
  })
})

describe('the history', () => {
  let history: TestServer

  beforeAll(async () => {
    history = await startTestServer()
    const names = Array.from({ length: 120 }, (_, n) => `system-${n % 12}/round-${n}`)
    // All at once, so that many are elected in the same ms.
    await Promise.all(names.map((name) => send(history.url, { path: `/api/v1/elect/${name}?deadline=1h` })))
    await Promise.all(
      names.flatMap((name, n) => {
        if (n % 4 === 0) return send(history.url, { path: `/api/v1/complete/${name}` })
        if (n % 10 === 1) return send(history.url, { method: 'POST', path: `/api/v1/fail/${name}?reason=no` })
        return []
      }),
    )
    await send(history.url, { path: '/api/v1/elect/late/overdue?deadline=1s' })
    await vi.waitFor(async () => expect((await page('state=overdue')).rounds).toHaveLength(1), {
      timeout: 30_000,
      interval: 100,
    })
  })

  async function page(query: string): Promise<{ rounds: LedRoundJson[]; next?: string }> {
    const answer = await send(history.url, { path: `/api/v1/rounds?${query}` })
    expect([answer.status, answer.headers['cache-control']]).toEqual([200, 'no-store'])
    return JSON.parse(answer.text)
  }

  async function pages(query: string): Promise<LedRoundJson[][]> {
    const all: LedRoundJson[][] = []
    let cursor = ''
    do {
      const { rounds: found, next } = await page(`${query}${cursor && `&cursor=${cursor}`}`)
      all.push(found)
      cursor = next ?? ''
      expect(all.length).toBeLessThan(200)
    } while (cursor)
    return all
  }

  it.each([1, 7, 11, 100, 121, 1_000])('is complete and in order with %d rounds to a page', async (limit) => {
    const all = (await pages(`limit=${limit}`)).flat()
    expect(new Set(all.map(({ system, round }) => `${system}/${round}`)).size).toBe(121)
    expect(all).toHaveLength(121)
    const times = all.map(({ electedAt }) => electedAt)
    expect(times).toEqual(times.toSorted().reverse())
    expect(new Set(times).size).toBeLessThan(121)
  })

  it('has no next page behind the last round', async () => {
    const found = await pages('limit=11')
    expect(found.map((rounds) => rounds.length)).toEqual(Array(11).fill(11))
    expect(await page('limit=121')).not.toHaveProperty('next')
  })

  it('has 100 rounds to a page unless asked', async () => {
    expect((await pages('')).map((rounds) => rounds.length)).toEqual([100, 21])
  })

  it('can be of one system', async () => {
    const found = (await pages('system=system-3&limit=3')).flat()
    expect(found).toHaveLength(10)
    expect(new Set(found.map(({ system }) => system))).toEqual(new Set(['system-3']))
    expect(await page('system=nobody')).toEqual({ rounds: [] })
    expect(await page('system=system')).toEqual({ rounds: [] })
  })

  it.each([
    ['completed', 30],
    ['failed', 12],
    ['overdue', 1],
    ['led', 78],
  ])('can be of the state %s', async (state, count) => {
    for (const limit of [5, 1_000]) {
      const found = (await pages(`state=${state}&limit=${limit}`)).flat()
      expect(found).toHaveLength(count)
      expect(new Set(found.map((round) => round.state))).toEqual(new Set([state]))
    }
  })

  it.each([
    ['a text in the name', 'q=ROUND-11', ['round-11', 'round-110', 'round-111', 'round-119']],
    ['a text and a state', 'q=round-11&state=failed', ['round-11', 'round-111']],
    ['a text and a system', 'q=round-11&system=system-11', ['round-11', 'round-119']],
    ['a text that no name has', 'q=round-xyz', []],
    ['a part of the leader', 'leader=127.0.0.1:&q=round-119', ['round-119']],
    ['a leader that is none', 'leader=10.1.2.3', []],
    ['a worker', 'worker=nobody', []],
  ])('can be looked through for %s', async (_, query, names) => {
    for (const limit of [1, 1_000]) {
      const found = (await pages(`${query}&limit=${limit}`)).flat().map(({ round }) => round)
      expect(found).toEqual(expect.arrayContaining(names))
      if (!query.includes('q=round-11') && !query.includes('ROUND')) expect(found).toHaveLength(names.length)
    }
    const { looked } = (await page(`${query}&limit=1000`)) as { looked?: { entries: number } }
    expect(looked?.entries).toBe(query.includes('system=') ? 10 : 121)
  })

  it('can be of a time', async () => {
    const all = (await page('limit=121')).rounds
    const oldest = all.at(-1)?.electedAt ?? ''
    const newest = all[0]?.electedAt ?? ''
    expect((await pages(`from=${newest}&limit=7`)).flat().length).toBe(
      all.filter(({ electedAt }) => electedAt >= newest).length,
    )
    expect((await pages(`to=${oldest}&limit=7`)).flat()).toHaveLength(
      all.filter(({ electedAt }) => electedAt <= oldest).length,
    )
    expect((await pages(`from=${oldest}&to=${newest}&limit=50`)).flat()).toHaveLength(121)
    expect((await page('from=2099-01-01T00:00:00Z')).rounds).toEqual([])
  })

  it.each([
    'to=1960-01-01T00:00:00Z',
    'to=1969-12-31T23:59:59.999Z',
    'to=1970-01-01T00:00:00Z',
    `cursor=${Buffer.from('0-0 a').toString('base64url')}`,
  ])('has nothing from before there were any: %s', async (query) => {
    const [{ system = '' } = {}] = (await page('limit=1')).rounds
    for (const of of ['', `&system=${system}`]) expect((await page(query + of)).rounds).toEqual([])
  })

  it('is counted by state, once for all who ask at a time', async () => {
    const tally = async (query: string) =>
      JSON.parse((await send(history.url, { path: `/api/v1/rounds/tally?${query}` })).text) as TallyJson
    const all = await tally('')
    expect(all.counts).toEqual({ submitted: 0, open: 0, led: 78, overdue: 1, completed: 30, failed: 12 })
    expect([all.hasMore, all.looked.entries]).toEqual([false, 121])
    expect(all.minutes.reduce((sum, { came }) => sum + came, 0)).toBe(121)
    expect(await tally('')).toEqual(all)
    expect((await tally('system=system-4')).counts).toMatchObject({ completed: 10, led: 0 })
    expect((await tally('q=round-11')).counts).toMatchObject({ failed: 2 })
  })

  it('goes on from a cursor while rounds are added', async () => {
    const { rounds: first, next } = await page('limit=5')
    await send(history.url, { path: '/api/v1/elect/later/round' })
    const { rounds: second } = await page(`limit=116&cursor=${next}`)
    expect(second).toHaveLength(116)
    expect(second.map(({ round }) => round)).not.toEqual(
      expect.arrayContaining(first.map(({ round }) => round)),
    )
    expect(second.map(({ system }) => system)).not.toContain('later')
    expect((await page('limit=1')).rounds).toMatchObject([{ system: 'later', round: 'round' }])
  })
})

describe('OpenAPI', () => {
  let paths: OpenApi['paths']

  beforeAll(async () => {
    const document = await readOpenApi(server.url)
    expect(document.openapi).toMatch(/^3\./)
    paths = document.paths
  })

  const operations = () =>
    Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, documented]) => ({
        path,
        method: method.toUpperCase(),
        documented,
      })),
    )
  const queryOf = ({ parameters = [] }: Operation) =>
    parameters.filter((parameter) => parameter.in === 'query')

  /** A path that answers at once, also to who waits: of a round that is finished, or of something that is there. */
  async function pathOf(template: string): Promise<string> {
    if (template.includes('/call/')) return '/api/v1/call/shop/echo'
    const round = newRound()
    if (template.includes('{of}')) {
      const path = template.replace('{of}/{name}', `worker/w${rounds}`)
      const own = path.replace('/rollback', '')
      expect((await send(server.url, { method: 'PUT', path: own, ...said({ attempts: 2 }) })).status).toBe(
        200,
      )
      return path
    }
    if (template.includes('/pools/')) {
      const path = template.replace('{name}', `p${rounds}`)
      const own = path.split('/').slice(0, 6).join('/')
      expect((await send(server.url, { method: 'PUT', path: own, ...said({ instances: 0 }) })).status).toBe(
        200,
      )
      return path
    }
    if (template.includes('{name}')) {
      const path = template.replace('{system}/{name}', round)
      const body = template.includes('expectations') ? { every: '1d', grace: '1h' } : { every: '1d' }
      const own = path.split('/').slice(0, 6).join('/')
      expect((await send(server.url, { method: 'PUT', path: own, ...said(body) })).status).toBe(201)
      return path
    }
    await call('complete', round)
    return template.replace('{system}/{round}', round).replace('{worker}', 'nobody')
  }

  /** Of a round that is not finished. */
  async function openPathOf(template: string): Promise<string> {
    if (template.includes('{name}') || template.includes('/call/')) return pathOf(template)
    const round = newRound()
    // What is cancelled must be there, and what is tried again must have failed.
    if (template.includes('/cancel/')) await call('elect', round)
    if (template.includes('/retry/')) await call('fail', round)
    return template.replace('{system}/{round}', round)
  }

  it('lists the paths of the API and no other', () => {
    expect(Object.keys(paths).sort()).toEqual(PATHS)
  })

  it('lists the methods that each path takes', async () => {
    for (const [template, methods] of Object.entries(paths)) {
      const { headers } = await send(server.url, { method: 'PATCH', path: await pathOf(template) })
      expect(
        Object.keys(methods)
          .map((method) => method.toUpperCase())
          .join(', '),
      ).toBe(headers.allow?.replace(', HEAD', ''))
    }
  })

  it('has an example of each parameter that the endpoint takes', async () => {
    await startTestWorkers(server.redis, { echo: ({ data }) => data })
    for (const { path, method, documented } of operations()) {
      for (const { name, example = '', required } of queryOf(documented)) {
        expect(required).toBe(false)
        // A zone alone makes no slot.
        const isSlot = path === '/api/v1/slot' && !['cron', 'every'].includes(name)
        // Whoever listens from a count that is no more is told at once.
        const isWait = path === '/api/v1/fleet/events' && name === 'wait'
        // A series is of a worker.
        const isOfNobody = path === '/api/v1/fleet/series' && name !== 'worker'
        const rest = `${isSlot ? '&every=1h' : ''}${isWait ? '&after=another.7' : ''}${isOfNobody ? '&worker=mailer' : ''}`
        // No job comes.
        const shown = path === '/api/v1/take/{worker}' && name === 'wait' ? '1ms' : example
        const query = `${name}=${encodeURIComponent(shown)}${rest}`
        const body = path.endsWith('/preview') ? said({ every: '1d' }) : {}
        const answer = await send(server.url, { method, path: `${await pathOf(path)}?${query}`, ...body })
        expect([method, path, query, answer.text]).not.toContain('INVALID')
        // There is no such revision of it; and a pool that has left a release already stays as it is.
        const others = name === 'to' ? [404] : path.endsWith('/pools/{name}/rollback') ? [202] : []
        expect(answer.status, `${method} ${path}?${query}: ${answer.text}`).toBeOneOf([
          200,
          204,
          400,
          409,
          ...others,
        ])
        if (answer.status === 400) expectProblem(answer, 'COMPLETION_REFUSED')
      }
    }
  })

  it('lists every parameter that the endpoint takes', async () => {
    for (const { path, method, documented } of operations()) {
      const refused = await send(server.url, { method, path: `${await pathOf(path)}?nonsense=1` })
      const known = queryOf(documented).map(({ name }) => name)
      expect(expectProblem(refused, 'INVALID_PARAMETER')).toMatch(
        new RegExp(`this path takes: ${known.join(', ') || 'none'}$`),
      )
    }
  })

  it('has a body, which nobody but who puts has to send, where the endpoint takes one', async () => {
    await startTestWorkers(server.redis, { echo: ({ data }) => data })
    for (const { path, method, documented } of operations()) {
      if (method !== 'POST' && method !== 'PUT') continue
      const properties = bodyMembersOf(documented)
      // Of what is not put, a backfill and these cannot do without.
      const isWhole =
        method === 'PUT' ||
        ['/orders', '/pulse', '/preview', '/deploy', '/scale', '/marks'].some((end) => path.endsWith(end))
      const isRequired = isWhole || path.endsWith('/backfill')
      expect(documented.requestBody?.required ?? false).toBe(isRequired)
      const all = Object.fromEntries(
        Object.entries(properties).map(([name, { examples = [] }]) => [name, examples[0]]),
      )
      // What is put, ordered or said in a pulse needs several members at once, of which some exclude each other.
      for (const name of isWhole ? [] : Object.keys(properties)) {
        const taken = await send(server.url, {
          method,
          path: await openPathOf(path),
          ...said(path.endsWith('/backfill') ? all : { [name]: all[name] }),
        })
        expect(taken.status, `${path} with ${name}: ${taken.text}`).toBeOneOf([200, 202])
      }
      const refused = await send(server.url, { method, path: await pathOf(path), ...said({ nonsense: 1 }) })
      expect(expectProblem(refused, 'INVALID_BODY')).toMatch(
        new RegExp(`takes: ${Object.keys(properties).join(', ') || 'none'}$`),
      )
    }
  })
})

describe('what operators ask', () => {
  it('is answered', async () => {
    const [healthz, readyz, metrics] = await Promise.all(
      ['/healthz', '/readyz', '/metrics'].map((path) => send(server.url, { path })),
    )
    expect([healthz?.status, JSON.parse(healthz?.text ?? '')]).toEqual([200, { status: 'ok' }])
    expect([readyz?.status, JSON.parse(readyz?.text ?? '')]).toEqual([200, { status: 'ready' }])
    expect(metrics?.status).toBe(200)
    expect(metrics?.headers['content-type']).toMatch(/^text\/plain; version=0\.0\.4/)
    for (const answer of [healthz, readyz, metrics]) expect(answer?.headers['cache-control']).toBe('no-store')
  })

  it('is what has happened', async () => {
    const own = await startTestServer()
    const ask = (path: string) => send(own.url, { method: 'POST', path: `/api/v1/${path}` })
    for (const path of ['elect/a/1', 'elect/a/1', 'elect/a/1?candidate=x', 'elect/a/2?candidate=x'])
      await ask(path)
    await ask('elect/a/2?candidate=x')
    for (const path of ['complete/a/1', 'complete/a/1', 'fail/a/2?candidate=x', 'elect/a/3']) await ask(path)
    await vi.waitFor(async () => {
      const { text } = await send(own.url, { path: '/metrics' })
      const counts = text
        .split('\n')
        .filter((line) =>
          /^gone_(elections|completions|overdue|queue|redelivered|request\w+_count)/.test(line),
        )
      expect(counts.filter((line) => !line.endsWith(' 0')).sort()).toEqual([
        'gone_completions_total{outcome="completed",verdict="recorded"} 1',
        'gone_completions_total{outcome="completed",verdict="refused"} 1',
        'gone_completions_total{outcome="failed",verdict="recorded"} 1',
        'gone_elections_total{outcome="alreadyLeader"} 1',
        'gone_elections_total{outcome="elected"} 3',
        'gone_elections_total{outcome="lost"} 2',
        'gone_queue_jobs{queue="rounds",state="completed"} 1',
        'gone_queue_jobs{queue="rounds",state="failed"} 1',
        'gone_request_duration_seconds_count{route="complete"} 2',
        'gone_request_duration_seconds_count{route="elect"} 6',
        'gone_request_duration_seconds_count{route="fail"} 1',
      ])
      expect(counts).toContain('gone_overdue_rounds 0')
      expect(counts).toContain('gone_elections_total{outcome="error"} 0')
    }, 30_000)
    await own.stop()
  })
})

describe('the pages', () => {
  const OWN = () => ({ origin: server.url })
  const mutations: [string, string][] = [
    ['PUT', 'pause'],
    ['PUT', 'empty'],
    ['PUT', 'obliterate'],
    ['PUT', 'promote'],
    ['PUT', 'retry/failed'],
    ['PUT', 'clean/completed'],
    ['POST', 'add'],
  ]

  it.each(['/board', '/board/', '/board/queue/rounds', '/docs', '/docs/static/index.html'])(
    '%s opens',
    async (path) => {
      const answer = await follow(path)
      expect(answer.status).toBe(200)
      expect(answer.headers.get('content-type')).toMatch(/^text\/html/)
      expect(await answer.text()).toMatch(/<html/i)
    },
  )

  it('/ leads to the board', async () => {
    expect(new URL((await follow('/')).url).pathname).toBe('/board')
  })

  async function queues(): Promise<{ name: string; readOnlyMode: boolean; isPaused: boolean }[]> {
    const { text } = await send(server.url, { path: '/board/api/queues' })
    return JSON.parse(text).queues
  }

  it('the board shows the queue of the rounds', async () => {
    const shown = await queues()
    expect(shown.map(({ name }) => name)).toContain('rounds')
    for (const { readOnlyMode } of shown) expect(readOnlyMode).toBe(true)
  })

  it('the board names a job by its round, as people write it', async () => {
    const round = 'nightly@2026-11-22T02:00:00+01:00'
    await send(server.url, { path: `/api/v1/complete/titled/${encodeURIComponent(round)}` })
    const names = async () => {
      const { text } = await send(server.url, { path: '/board/api/queues?activeQueue=rounds&status=latest' })
      const shown = JSON.parse(text).queues.find(({ name }: { name: string }) => name === 'rounds')
      return shown.jobs.map(({ name }: { name: string }) => name)
    }
    // It is told behind the answer.
    await expect.poll(names).toContain(`titled/${round}`)
  })

  it.each(mutations)('the board takes no %s %s when it is read-only', async (method, action) => {
    const path = `/board/api/queues/rounds/${action}`
    const own = await send(server.url, { method, path, headers: { ...OWN(), ...JSON_TYPE }, body: '{}' })
    expect(own.status).toBe(405)
    expectProblem(await send(server.url, { method, path }), 'FOREIGN_ORIGIN')
  })

  it('a board that is read-only does not pause all queues', async () => {
    await send(server.url, { method: 'PUT', path: '/board/api/queues/pause', headers: OWN() })
    for (const { isPaused } of await queues()) expect(isPaused).toBe(false)
  })

  it('a board for writing takes changes from its own page and no other', async () => {
    const own = await startTestServer({ env: { GONE_BOARD: 'read-write' } })
    const pause = (headers: Record<string, string>) =>
      send(own.url, { method: 'PUT', path: '/board/api/queues/rounds/pause', headers })
    const foreign = [
      {},
      { origin: 'null' },
      { origin: 'https://evil.example' },
      { origin: own.url.replace(/\d+$/, '1') },
      { origin: `${own.url}.evil.example` },
      { referer: own.url },
    ]
    for (const headers of foreign) expectProblem(await pause(headers), 'FOREIGN_ORIGIN')
    const isPaused = async () =>
      JSON.parse((await send(own.url, { path: '/board/api/queues' })).text).queues[0].isPaused as boolean
    expect(await isPaused()).toBe(false)
    expect((await pause({ origin: own.url })).status).toBe(200)
    expect(await isPaused()).toBe(true)
    await own.stop()
  })
})

function follow(path: string): Promise<Response> {
  return fetch(server.url + path)
}

async function metric(name: string): Promise<number> {
  const { text } = await send(server.url, { path: '/metrics' })
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1])
}
