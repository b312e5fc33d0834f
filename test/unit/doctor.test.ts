import { describe, expect, it } from 'vitest'
import { type Facts, findingsOf, type RedisFacts } from '../../src/cli/doctor/findings.ts'

const REDIS: RedisFacts = {
  where: 'redis://redis:6379',
  version: 'Redis 7.2.4',
  role: 'master',
  policy: 'noeviction',
  hasAof: true,
  fsync: 'always',
  listpackValue: 512,
  maxMemoryBytes: 0,
  usedMemoryBytes: 1_000,
  aheadMs: 3,
  roundTripMs: 0.4,
  runId: 'a',
}

const WELL: Facts = {
  node: 'Node 22.12.0',
  version: '1.2.0',
  redis: REDIS,
  gate: [],
  server: { url: 'http://127.0.0.1:8080', isReady: true },
  trusted: [],
  isBeyondLoopback: true,
  areKeysNeeded: true,
  keys: 2,
}

const SERVER = {
  url: 'https://gone.example.com',
  isReady: true,
  builds: [{ version: '1.2.0', servers: 3, instances: 1 }],
  caller: { address: '203.0.113.9', host: 'gone.example.com:443', secure: true, proxy: 'believed' },
} as const
const through = (caller: object): Partial<Facts> => ({
  server: { ...SERVER, caller: { ...SERVER.caller, ...caller } },
})

const node = (runId: string): RedisFacts => ({ ...REDIS, runId })
const gone = { where: 'redis://gate:6379', trouble: 'Redis is not reachable' }

/** All that is not ok. */
const troublesOf = (facts: Facts) =>
  findingsOf(facts)
    .filter(({ kind }) => kind !== 'ok')
    .map(({ kind, about, detail }) => `${kind} ${about}: ${detail}`)

describe('what the doctor finds', () => {
  it('is nothing where all is well', () => {
    expect(troublesOf(WELL)).toEqual([])
    expect(troublesOf({ ...WELL, gate: [node('b'), node('c'), node('d')] })).toEqual([])
    expect(troublesOf({ ...WELL, server: SERVER })).toEqual([])
  })

  it.each<[string, Partial<Facts>, RegExp]>([
    ['a setting', { settingsTrouble: 'GONE_PORT: expected', gate: [] }, /^wrong settings: GONE_PORT/],
    ['no Redis', { redis: { ...gone } }, /^wrong redis: redis:\/\/gate:6379: Redis is not reachable/],
    ['a replica', { redis: { ...REDIS, role: 'slave' } }, /^wrong redis: .*primary/],
    ['eviction', { redis: { ...REDIS, policy: 'allkeys-lru' } }, /^wrong redis: .*noeviction/],
    ['no AOF', { redis: { ...REDIS, hasAof: false } }, /^wrong redis: appendonly no/],
    ['no fsync', { redis: { ...REDIS, fsync: 'no' } }, /^wrong redis: appendfsync no/],
    ['a second', { redis: { ...REDIS, fsync: 'everysec' } }, /^note redis: appendfsync everysec/],
    ['listpacks', { redis: { ...REDIS, listpackValue: 64 } }, /^note redis: hash-max-listpack-value 64/],
    ['memory', { redis: { ...REDIS, maxMemoryBytes: 1_050 } }, /^wrong redis: .*nine tenths/],
    ['an old one', { redis: { ...REDIS, version: 'Redis 5.0.9' } }, /^wrong redis: version Redis 5\.0\.9/],
    ['distance', { redis: { ...REDIS, roundTripMs: 80 } }, /^note redis: .*80 ms/],
    ['jobs of an older build', { redis: { ...REDIS, oldJobs: '3 jobs' } }, /^wrong queues: 3 jobs/],
    ['a fast clock', { redis: { ...REDIS, aheadMs: 3_600_000 } }, /^note redis: .*60 min ahead/],
    ['a slow clock', { redis: { ...REDIS, aheadMs: -5_000 } }, /^note redis: .*5 s behind/],
    ['gate nodes that share', { gate: [node('a'), node('c'), node('d')] }, /^note gate: .*fail together/],
    ['no majority', { gate: [node('b'), gone, gone] }, /wrong gate: 1 of 3/],
    ['no key', { keys: 0 }, /^wrong keys: .*gone key create/],
    ['an open door', { keys: 0, areKeysNeeded: false }, /^note keys: .*everything/],
    [
      'an unready server',
      { server: { url: 'u', isReady: false, trouble: 'full' } },
      /^wrong server: u: full/,
    ],
    [
      'another version than this',
      { version: '1.1.0', server: SERVER },
      /^note versions: this command is gone 1\.1\.0, and what runs is 1\.2\.0 \(3 servers, 1 instance\)/,
    ],
    [
      'two versions',
      { server: { ...SERVER, builds: [...SERVER.builds, { version: '1.3.0', servers: 0, instances: 2 }] } },
      /^note versions: gone 1\.2\.0 \(3 servers, 1 instance\), 1\.3\.0 \(2 instances\) side by side/,
    ],
    [
      'no leave to look',
      { server: { url: 'u', isReady: true, refusal: 'no key' } },
      /^note versions: .*no key/,
    ],
    ['trust in all', { trusted: ['::/0'] }, /^wrong proxy: GONE_TRUSTED_PROXIES=::\/0 believes everybody/],
    ['a proxy', through({ proxy: 'ignored' }), /^wrong proxy: .*GONE_TRUSTED_PROXIES=203\.0\.113\.9/],
    [
      'a lost name',
      through({ host: 'gone:8080' }),
      /^wrong proxy: gone\.example\.com was asked, .*gone:8080/,
    ],
    ['lost https', through({ secure: false }), /^wrong proxy: https was asked/],
    ['a loss', { server: { url: 'u', isReady: true, warning: 'lost' } }, /^wrong server: u: lost/],
  ])('is %s', (_, change, expected) => {
    expect(troublesOf({ ...WELL, ...change }).join('\n')).toMatch(new RegExp(expected.source, 'm'))
  })

  it('knows 6.2, 7 and Valkey for new enough', () => {
    for (const version of ['Redis 6.2.0', 'Redis 7.0.15', 'Valkey 8.1.0', 'Redis 10.0.0'])
      expect(troublesOf({ ...WELL, redis: { ...REDIS, version } })).toEqual([])
    for (const version of ['Redis 6.0.16', 'Redis 4.0.0'])
      expect(troublesOf({ ...WELL, redis: { ...REDIS, version } })).toHaveLength(1)
  })
})
