import type { Cluster, Redis } from 'ioredis'
import { describe, expect, it } from 'vitest'
import { connect } from '../../src/redis/connections.ts'
import { silentLog } from '../support/log.ts'

describe('a URL of several Redis nodes', () => {
  it('names sentinels, the primary, its database and who asks', () => {
    const url = 'redis+sentinel://me:p%2Fs:s@one:1,two,[::1]:3/main/4'
    const client = connect(url, 'commands', 'test', silentLog) as Redis
    client.disconnect()
    expect(client.options).toMatchObject({
      sentinels: [
        { host: 'one', port: 1 },
        { host: 'two', port: 26_379 },
        { host: '::1', port: 3 },
      ],
      ...{ name: 'main', db: 4, username: 'me', password: 'p/s:s' },
    })
  })

  it('names nodes of a Cluster, and may have a password alone', () => {
    const client = connect('redis+cluster://:secret@one,two:7', 'commands', 'test', silentLog) as Cluster
    client.disconnect()
    expect(client.options.redisOptions).toMatchObject({ password: 'secret' })
    expect(client.options.redisOptions).not.toHaveProperty('username')
  })
})
