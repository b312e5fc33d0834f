import type { Cluster, Redis } from 'ioredis'
import { describe, expect, it } from 'vitest'
import { connect } from '../../src/redis/connections.ts'
import { hidePassword, parseRedisUrl, passwordsIn, serverOf } from '../../src/redis/redis-url.ts'
import { silentLog } from '../support/log.ts'

const plain = { isSecured: false }
const secured = { isSecured: true }
const server = (host: string, port = 6_379, database = 0) => ({
  kind: 'server',
  node: { host, port },
  database,
})

describe('a Redis URL', () => {
  it.each([
    ['redis://host', { ...plain, ...server('host') }],
    ['REDIS://Host/', { ...plain, ...server('Host') }],
    ['redis://redis_1.internal:6380/15', { ...plain, ...server('redis_1.internal', 6_380, 15) }],
    ['rediss://[::1]:6380/2', { ...secured, ...server('::1', 6_380, 2) }],
    ['redis://:p%40ss@host', { ...plain, ...server('host'), login: { password: 'p@ss' } }],
    ['redis://me:p@ss@host', { ...plain, ...server('host'), login: { username: 'me', password: 'p@ss' } }],
    ['redis://me:a:b@host', { ...plain, ...server('host'), login: { username: 'me', password: 'a:b' } }],
    [
      'redis://m%C3%A9:100%25@host',
      { ...plain, ...server('host'), login: { username: 'mé', password: '100%' } },
    ],
    ['/run/redis.sock', { ...plain, kind: 'socket', path: '/run/redis.sock', database: 0 }],
    ['/run/a?b#c@d:e', { ...plain, kind: 'socket', path: '/run/a?b#c@d:e', database: 0 }],
    ['unix:///run/a%20b.sock', { ...plain, kind: 'socket', path: '/run/a b.sock', database: 0 }],
    [
      'unix://me:secret@/run/redis.sock?database=3',
      {
        ...plain,
        kind: 'socket',
        path: '/run/redis.sock',
        database: 3,
        login: { username: 'me', password: 'secret' },
      },
    ],
    [
      'redis+sentinel://one,[fe80::1]:2/main/3',
      {
        ...plain,
        kind: 'sentinels',
        nodes: [
          { host: 'one', port: 26_379 },
          { host: 'fe80::1', port: 2 },
        ],
        primary: 'main',
        database: 3,
      },
    ],
    [
      'rediss+sentinel://:pw@one?sentinel-user=watch&sentinel-password=p%26q',
      {
        ...secured,
        kind: 'sentinels',
        nodes: [{ host: 'one', port: 26_379 }],
        primary: 'mymaster',
        database: 0,
        login: { password: 'pw' },
        sentinelLogin: { username: 'watch', password: 'p&q' },
      },
    ],
    [
      'rediss+cluster://me:p:q@one:7000,two/',
      {
        ...secured,
        kind: 'cluster',
        nodes: [
          { host: 'one', port: 7_000 },
          { host: 'two', port: 6_379 },
        ],
        login: { username: 'me', password: 'p:q' },
      },
    ],
  ])('%s is taken', (url, address) => {
    expect(parseRedisUrl(url)).toEqual(address)
  })

  const encoded = /^a user and password that are percent-encoded/
  const host = /^a host after/
  const database = /^a database by its number/
  it.each([
    ['', /^redis:\/\/host/],
    ['host:6379', /^redis:\/\/host/],
    ['http://host', /^redis:\/\/host/],
    ['redis:host', /^redis:\/\/host/],
    ['redis+unix:///run/redis.sock', /^redis:\/\/host/],
    ['redis://', host],
    ['redis:///0', host],
    ['redis://:6379', host],
    ['redis://ho st', host],
    ['redis://host:0', host],
    ['redis://host:65536', host],
    ['redis://::1', host],
    ['redis://[host]', host],
    ['redis+cluster://host,', host],
    ['redis://one,two', /^one host, or redis\+sentinel/],
    ['redis://secret@host', /^a password before the @/],
    ['redis://me:@host', /^a password before the @/],
    ['redis://@host', /^a password before the @/],
    ['redis://me:se/cret@host', encoded],
    ['redis://me:se?cret@host', encoded],
    ['redis://me:se#cret@host', encoded],
    ['redis://me:se cret@host', encoded],
    ['redis://me:100%@host', encoded],
    ['redis://me:%zz@host', encoded],
    ['redis://me:%ff@host', encoded],
    ['redis+sentinel://host/main?sentinel-password=p@ss', encoded],
    ['redis+sentinel://host/main?sentinel-password=%zz', encoded],
    ['redis://host/main', database],
    ['redis://host/-1', database],
    ['redis://host/0/1', database],
    ['redis://host/1e3', database],
    ['redis+sentinel://host/main/zero', database],
    ['redis+sentinel://host/main/0/1', /^\/mymaster or \/mymaster\/0/],
    ['redis+cluster://host/0', /^nothing after the hosts of a Cluster/],
    ['redis://host?db=1', /^no query/],
    ['redis://host?password=secret', /^no query/],
    ['redis://host?lazyConnect=true', /^no query/],
    ['redis://host?keyPrefix=a', /^no query/],
    ['redis+cluster://host?tls=true', /^no query/],
    ['redis+sentinel://host/main?db=1', /^no query but sentinel-user and sentinel-password/],
    ['redis+sentinel://host/main?sentinel-password=', /^no query but/],
    ['redis+sentinel://host/main?sentinel-password=a&sentinel-password=b', /^no query but/],
    ['redis+sentinel://host/main?sentinel-user=a', /^a sentinel-password with the sentinel-user/],
    ['unix:///run/redis.sock?db=1', /^no query but database/],
    ['unix://host/run/redis.sock', /^the path of a socket/],
    ['unix://', /^the path of a socket/],
    ['redis://host#0', /^nothing from a "#"/],
  ])('%j is refused with what would be right', (url, expected) => {
    expect(parseRedisUrl(url)).toMatchObject({ kind: 'mistake', expected: expect.stringMatching(expected) })
  })
})

describe('what is shown of a URL, right or wrong,', () => {
  it.each([
    ['redis://me:secret@host:1/2', 'redis://me:***@host:1/2'],
    ['redis://:secret@host', 'redis://:***@host'],
    ['redis://secret@host', 'redis://***@host'],
    ['redis://me:se/cr@et@host', 'redis://me:***@host'],
    ['redis://me:s?e#cret@host', 'redis://me:***@host'],
    ['redis:me:secret@host', 'redis:me:***@host'],
    ['me:secret@host', 'me:***@host'],
    ['secret@host', '***@host'],
    ['redis://:secret', 'redis://:***'],
    ['redis://me:12secret/0', 'redis://me:***'],
    ['redis://host?password=secret', 'redis://host?password=***'],
    ['redis://host?db=1&auth=secret&x', 'redis://host?db=***&auth=***&x'],
    ['redis://host#auth=secret', 'redis://host#auth=***'],
    [
      'redis+sentinel://me:a@one:1,two/main?sentinel-password=secret',
      'redis+sentinel://me:***@one:1,two/main?sentinel-password=***',
    ],
    ['redis://host:99999', 'redis://host:99999'],
    ['redis+cluster://one:7000,[::1]:7001', 'redis+cluster://one:7000,[::1]:7001'],
    ['/run/redis.sock', '/run/redis.sock'],
    ['unix://me:secret@/run/redis.sock?database=1', 'unix://me:***@/run/redis.sock?database=***'],
  ])('holds no password: %s', (url, shown) => {
    expect(hidePassword(url)).toBe(shown)
  })

  it('is known to the log, as it is written and as it is meant', () => {
    expect(passwordsIn('redis://me:p%40ss@host')).toEqual(['p%40ss', 'p@ss'])
    expect(passwordsIn('redis+sentinel://:a@one,two/main?sentinel-password=b%26c')).toEqual([
      ...['a', 'b%26c', 'a'],
      'b&c',
    ])
    expect(passwordsIn('redis://host')).toEqual([])
  })
})

it.each([
  ['redis://localhost', 'rediss://me:pw@127.0.0.1:6379/3'],
  ['redis://[::1]:7', 'redis://LOCALHOST:7'],
  ['redis+cluster://a,b:7', 'redis+cluster://b:7,A:6379'],
  ['/run/redis.sock', 'unix:///run/redis.sock?database=2'],
])('%s and %s are one server', (one, other) => {
  expect(serverOf(one)).toBe(serverOf(other))
})

describe('a client', () => {
  it('gets what the URL of sentinels says', () => {
    const url = 'redis+sentinel://me:p%2Fs:s@one:1,two,[::1]:3/main/4?sentinel-user=w&sentinel-password=q'
    const client = connect(url, 'commands', 'test', silentLog) as Redis
    client.disconnect()
    expect(client.options).toMatchObject({
      sentinels: [
        { host: 'one', port: 1 },
        { host: 'two', port: 26_379 },
        { host: '::1', port: 3 },
      ],
      ...{ name: 'main', db: 4, username: 'me', password: 'p/s:s' },
      ...{ sentinelUsername: 'w', sentinelPassword: 'q' },
    })
  })

  it('gets what the URL of a Cluster says, and may have a password alone', () => {
    const client = connect('redis+cluster://:secret@one,two:7', 'commands', 'test', silentLog) as Cluster
    client.disconnect()
    expect(client.options.redisOptions).toMatchObject({ password: 'secret' })
    expect(client.options.redisOptions).not.toHaveProperty('username')
  })
})
