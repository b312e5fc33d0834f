import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readConfig } from '../../src/config.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { send } from '../support/requests.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let redis: TestRedis
let behind: TestServer
let bare: TestServer
let rounds = 0

beforeAll(async () => {
  redis = await startRedis()
  behind = await startTestServer({ redis, env: { GONE_TRUSTED_PROXIES: '127.0.0.0/8, 10.0.0.0/8,fd00::/8' } })
  bare = await startTestServer({ redis })
})

afterAll(async () => {
  await behind.stop()
  await bare.stop()
  await redis.stop()
})

/** The address that a leader is shown by. */
async function leaderOf(server: TestServer, headers: Record<string, string | string[]>) {
  const path = `/api/v1/elect/proxies/${rounds++}`
  const answer = await send(server.url, { path, headers })
  expect(answer.status).toBe(202)
  return { leader: answer.headers['gone-leader'], caller: answer.caller, path }
}

describe('X-Forwarded-For', () => {
  it.each([
    ['one address', '203.0.113.7', '203.0.113.7:0'],
    ['with its port', '203.0.113.7:4711', '203.0.113.7:4711'],
    ['what a client put before it', '1.2.3.4, 203.0.113.7', '203.0.113.7:0'],
    ['through two of ours', '203.0.113.7, 10.1.2.3', '203.0.113.7:0'],
    ['only ours', '10.1.2.3', '10.1.2.3:0'],
    ['IPv6', '2001:db8::1', '[2001:db8::1]:0'],
    ['IPv6 with a port', '[2001:db8::1]:4711', '[2001:db8::1]:4711'],
    ['IPv6 through one of ours', '2001:db8::1, fd00::1', '[2001:db8::1]:0'],
    ['IPv4 as IPv6', '::ffff:203.0.113.7', '203.0.113.7:0'],
    ['garbage before it', 'unknown, <script>, 203.0.113.7', '203.0.113.7:0'],
  ])('of a trusted proxy gives the address: %s', async (_, header, address) => {
    expect((await leaderOf(behind, { 'x-forwarded-for': header })).leader).toBe(address)
  })

  it.each([
    ['empty', ''],
    ['a name', 'gone.example'],
    ['a number', '12345'],
    ['garbage last', '203.0.113.7, unknown'],
    ['an octet too large', '203.0.113.777'],
    ['a line break, escaped', '203.0.113.7%0d%0a'],
    ['a zone', 'fe80::1%eth0'],
    ['very long', '1,'.repeat(3_000)],
  ])('of a trusted proxy that names nobody gives the proxy: %s', async (_, header) => {
    const { leader, caller } = await leaderOf(behind, { 'x-forwarded-for': header })
    expect(leader).toBe(caller)
  })

  it('of anybody else is ignored, and so is every header of that kind', async () => {
    const headers = {
      'x-forwarded-for': '203.0.113.7',
      forwarded: 'for=203.0.113.7',
      'x-real-ip': '203.0.113.7',
      'x-client-ip': '203.0.113.7',
      'cf-connecting-ip': '203.0.113.7',
      'true-client-ip': '203.0.113.7',
      via: '1.1 203.0.113.7',
    }
    const { leader, caller } = await leaderOf(bare, headers)
    expect(leader).toBe(caller)
    const { 'x-forwarded-for': _, ...others } = headers
    const trusted = await leaderOf(behind, others)
    expect(trusted.leader).toBe(trusted.caller)
  })

  it('never is an identity: the same address is another candidate, another address with the token the same', async () => {
    const { path } = await leaderOf(behind, { 'x-forwarded-for': '203.0.113.7' })
    expect((await send(behind.url, { path, headers: { 'x-forwarded-for': '203.0.113.7' } })).status).toBe(204)
    const own = await leaderOf(behind, { 'x-forwarded-for': '203.0.113.7', 'gone-candidate': 'me' })
    const again = { path: own.path, headers: { 'x-forwarded-for': '203.0.113.8', 'gone-candidate': 'me' } }
    expect((await send(behind.url, again)).status).toBe(202)
    expect((await send(bare.url, { ...again, headers: { 'gone-candidate': 'you' } })).status).toBe(204)
  })
})

describe('GONE_TRUSTED_PROXIES', () => {
  it.each(['10.0.0.0/33', '10.0.0/8', 'proxy.example', '::1/129', '1.2.3.4/', '1.2.3.4/8/8', 'true', '*'])(
    'refuses %s',
    (value) => {
      expect(() => readConfig({ GONE_TRUSTED_PROXIES: value })).toThrow(
        /^GONE_TRUSTED_PROXIES: expected addresses or networks such as 10\.0\.0\.0\/8, got "[^\n]*"$/,
      )
    },
  )
})
