import { expect, it } from 'vitest'
import { connect } from '../../src/redis/connections.ts'
import { redisTrouble } from '../../src/redis/trouble.ts'
import { silentLog } from '../support/log.ts'

it('of a Cluster none of whose nodes is known yet is that none is reachable', async () => {
  const client = connect('redis+cluster://127.0.0.1:1', 'commands', 'test', silentLog)
  const said = await client.get('a').then(() => 'answered', redisTrouble)
  client.disconnect()
  expect(said).toBe('no node of the Redis cluster is reachable')
})
