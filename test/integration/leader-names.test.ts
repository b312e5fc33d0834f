import { hostname } from 'node:os'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { LedRoundJson } from '../../src/core/rounds/round-wire.ts'
import { createClient } from '../../src/index.ts'
import { type Board, lookAtBoard } from '../support/board.ts'
import { runCli } from '../support/cli.ts'
import { send } from '../support/requests.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

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

const newRound = () => `round-${rounds++}`
const elect = (round: string, name?: string) =>
  send(server.url, {
    method: 'POST',
    path: `/api/v1/elect/names/${round}`,
    headers: { accept: 'application/json', ...(name !== undefined && { 'gone-name': name }) },
  })
const elected = (round: string, accept: string) =>
  send(server.url, { path: `/api/v1/elected/names/${round}`, headers: { accept } })

describe('a leader that says what it is called', () => {
  it('is shown by it in the record and in elected as JSON, and by its address as before in text', async () => {
    const round = newRound()
    expect(JSON.parse((await elect(round, 'pod-7 of eu-a')).text)).toMatchObject({
      leaderName: 'pod-7 of eu-a',
    })
    const { leaderName, leader } = JSON.parse((await elected(round, 'application/json')).text) as LedRoundJson
    expect([leaderName, leader]).toEqual(['pod-7 of eu-a', expect.stringMatching(/^127\.0\.0\.1:\d+$/)])
    const plain = await elected(round, '*/*')
    expect([plain.text, plain.headers['gone-leader']]).toEqual([leader, leader])
    for (const query of ['system=names', 'leader=POD-7'])
      expect((await send(server.url, { path: `/api/v1/rounds?${query}` })).text).toContain(
        '"leaderName":"pod-7 of eu-a"',
      )
  })

  it('is shown by it on the board', async () => {
    const round = newRound()
    await elect(round, 'shown')
    await send(server.url, { method: 'POST', path: `/api/v1/complete/names/${round}` })
    const id = { system: 'names', round }
    await expect
      .poll(async () => (await board.job(id))?.job.data, { timeout: 30_000 })
      .toMatchObject({ leaderName: 'shown' })
  })

  it.each(['a', 'x'.repeat(100), 'worker@host:4711', 'pod, of "us"', '%C3%BC'])(
    'may be called %j',
    async (name) => {
      expect(JSON.parse((await elect(newRound(), name)).text)).toMatchObject({ leaderName: name })
    },
  )

  it.each(['x'.repeat(101), 'tab\there', '\u00fc'])('may not be called %j', async (name) => {
    const answer = await elect(newRound(), name)
    expect([answer.status, answer.text]).toEqual([
      400,
      expect.stringMatching(/gone-name: expected 1 to 100 visible ASCII characters/),
    ])
    const client = createClient({ url: server.url })
    await expect(client.elect('names', newRound(), { name })).rejects.toThrow(
      /^name: expected 1 to 100 visible/,
    )
  })

  it('does so by the SDK, by elect, once and --name, of which commands say host and pid by themselves', async () => {
    const nameOf = async (round: string) =>
      (JSON.parse((await elected(round, 'application/json')).text) as LedRoundJson).leaderName
    const env = { GONE_URL: server.url }
    const [sdk, once, given, byOnce, byElect] = Array.from({ length: 5 }, newRound) as [
      string,
      string,
      string,
      string,
      string,
    ]
    const client = createClient({ url: server.url })
    await client.elect('names', sdk, { name: 'by the SDK' })
    await client.once('names', once, async () => 'done', { name: 'by once' })
    await runCli(['elect', 'names', given, '--name', 'by hand'], env)
    await runCli(['once', '-s', 'names', '-r', byOnce, '--', 'true'], env)
    await runCli(['elect', 'names', byElect], env)
    const own = expect.stringMatching(new RegExp(`^${hostname()}:\\d+$`))
    expect(await Promise.all([sdk, once, given, byOnce, byElect].map(nameOf))).toEqual([
      'by the SDK',
      'by once',
      'by hand',
      own,
      own,
    ])
  })
})
