import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { createClient } from '../../src/client/client.ts'
import { runCli } from '../support/cli.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { type Answer, send } from '../support/requests.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let redis: TestRedis
let one: TestServer
let other: TestServer
let rounds = 0

beforeAll(async () => {
  redis = await startRedis()
  ;[one, other] = await Promise.all([startTestServer({ redis }), startTestServer({ redis })])
})

afterAll(async () => {
  await Promise.all([one.stop(), other.stop()])
  await redis.stop()
})

/** A round that no other test uses. */
function newRound(): string {
  rounds += 1
  return `round-${rounds}`
}

function call(server: TestServer, step: string, round: string, token?: string, query = ''): Promise<Answer> {
  const isGet = step === 'elected' || step === 'completed' || step === 'rounds'
  return send(server.url, {
    method: isGet ? 'GET' : 'POST',
    path: `/api/v1/${step}/two/${round}${query && `?${query}`}`,
    ...(token !== undefined && { headers: { 'gone-candidate': token } }),
  })
}

const told = ({ status, headers }: Answer) => [status, headers['gone-state']]

describe('a round that was led at one server and ended at another', () => {
  it.each([
    ['complete', 'completed'],
    ['fail', 'failed'],
  ])('is lost for its own leader once it said %s', async (step, state) => {
    for (let again = 0; again < 50; again += 1) {
      const round = newRound()
      expect(told(await call(one, 'elect', round, 'me'))).toEqual([202, 'led'])
      expect((await call(other, step, round, 'me')).status).toBe(200)
      expect(told(await call(one, 'elect', round, 'me'))).toEqual([204, state])
      expect(told(await call(other, 'elect', round, 'me'))).toEqual([204, state])
    }
  })

  it('is said to be led by no reply of either server any more', async () => {
    const round = newRound()
    await call(one, 'elect', round, 'me')
    await call(one, 'elect', round, 'you')
    await call(one, 'elected', round)
    await call(other, 'complete', round, 'me')
    for (const server of [one, other]) {
      const answers = await Promise.all([
        call(server, 'elect', round, 'you'),
        call(server, 'elect', round),
        call(server, 'elected', round),
        call(server, 'completed', round),
        call(server, 'rounds', round),
      ])
      expect(answers.map(({ status }) => status)).toEqual([204, 204, 200, 200, 200])
      for (const { headers } of answers) expect([undefined, 'completed']).toContain(headers['gone-state'])
    }
  })

  it('is run once by an SDK whose calls go now here, now there', async () => {
    const round = newRound()
    const clients = [one, other].map(({ url }) => createClient({ url, candidate: 'me' }))
    const [here, there] = clients as [(typeof clients)[0], (typeof clients)[0]]
    expect(await here.elect('two', round)).toMatchObject({ leads: true, state: 'led' })
    await there.complete('two', round)
    expect(await here.elect('two', round)).toMatchObject({ leads: false, state: 'completed' })
    expect(await here.elected('two', round)).toMatchObject({ state: 'completed' })
    const again = await here.once('two', round, () => 'run again', { candidate: 'me' })
    expect(again).toMatchObject({ kind: 'lost', state: 'completed' })
  })

  it('is run once by the line of the README behind a balancer', async () => {
    const round = newRound()
    const run = (server: TestServer, ...args: string[]) =>
      runCli([...args, 'two', round, '--candidate', 'me', '--server', server.url])
    expect((await run(one, 'elect')).code).toBe(0)
    expect((await run(other, 'complete')).code).toBe(0)
    const again = await run(one, 'elect')
    expect(again).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/^not the leader: .*, completed\n$/),
    })
    const once = ['once', '-s', 'two', '-r', round, '--candidate', 'me', '--server', one.url]
    expect(await runCli([...once, '--', 'echo', 'run again'])).toMatchObject({ stdout: '' })
  })
})

describe('a lease', () => {
  it('that was promised to another is not shortened by a renewal', async () => {
    const round = newRound()
    await call(one, 'elect', round, 'me', 'lease=3s')
    const electedMs = performance.now()
    expect((await call(other, 'renew', round, 'me', 'lease=1s')).status).toBe(200)
    const leaderOf = ({ headers }: Answer) => headers['gone-leader']
    const next = await vi.waitFor(
      async () => {
        const [here, there] = await Promise.all([
          call(one, 'elect', round, 'here', 'lease=30s'),
          call(other, 'elect', round, 'there', 'lease=30s'),
        ])
        expect([here.status, there.status].sort()).toEqual([202, 204])
        return here.status === 202 ? here : there
      },
      { timeout: 30_000, interval: 50 },
    )
    expect(performance.now() - electedMs).toBeGreaterThan(2_900)
    for (const server of [one, other]) {
      const loser = await call(server, 'elect', round, 'late')
      expect(leaderOf(loser)).toBe(leaderOf(next))
    }
  })
})

describe('a caller that is gone before a byte of its answer was written', () => {
  /** Sends the call, and closes the connection while Redis has not answered yet. */
  async function callAndGo(query = '', meanwhile = (_: string) => {}): Promise<string> {
    const round = newRound()
    const admin = new Redis(redis.port)
    const { hostname, port } = new URL(one.url)
    await admin.client('PAUSE', 400, 'ALL')
    const socket = connect(Number(port), hostname)
    socket.write(
      `POST /api/v1/elect/two/${round}${query} HTTP/1.1\r\nHost: ${hostname}\r\nContent-Length: 0\r\n\r\n`,
    )
    // So that the decision is under way.
    await sleep(150)
    meanwhile(round)
    await sleep(50)
    socket.destroy()
    // Redis goes on, and decides.
    await sleep(600)
    admin.disconnect()
    return round
  }

  it('does not lead: whoever asks next does, here or there', async () => {
    for (const server of [one, other]) {
      const fenceOf = ({ headers }: Answer) => Number(headers['gone-fence'])
      const before = await call(one, 'elect', newRound())
      const round = await callAndGo()
      const next = await call(server, 'elect', round)
      // The one between was decided, and taken back.
      expect([next.status, fenceOf(next)]).toEqual([202, fenceOf(before) + 2])
      expect((await call(one, 'elect', round)).status).toBe(204)
    }
  })

  it('leaves the lead to one of those who have asked the same server meanwhile', async () => {
    const asked: Promise<Answer>[] = []
    await callAndGo('', (round) => {
      for (let n = 0; n < 10; n += 1) asked.push(call(one, 'elect', round))
    })
    const statuses = (await Promise.all(asked)).map(({ status }) => status)
    expect(statuses.sort()).toEqual([202, ...Array.from({ length: 9 }, () => 204)])
  })

  it('does not lead with a lease, nor as a stand-by', async () => {
    expect((await call(other, 'elect', await callAndGo('?lease=1h'))).status).toBe(202)
    expect((await call(other, 'elect', await callAndGo('?wait=20s'))).status).toBe(202)
  })
})
