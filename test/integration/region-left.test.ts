import { expect, it } from 'vitest'
import { createClient } from '../../src/client/client.ts'
import { workIn } from '../support/region-work.ts'
import { startTestServer } from '../support/server.ts'

it('moves on what waits in a region some 15 s after the last one there takes no more', async () => {
  const server = await startTestServer()
  const client = createClient({ url: server.url })
  const worker = 'left'
  const eu = await workIn(server, 'eu', worker, 4_000)
  const us = await workIn(server, 'us', worker, 1)
  const rounds = ['a', 'b', 'c']
  for (const round of rounds) await client.submit(worker, round, { worker, region: 'eu' })
  await expect.poll(() => eu.ran.length).toBe(1)
  await client.fleet.order({ do: 'unregister', select: { worker, region: 'eu' }, count: 1 })
  for (const round of rounds)
    expect(await client.wait(worker, round, { timeout: '60s' })).toMatchObject({ state: 'completed' })
  expect([eu.ran, us.ran]).toEqual([[`${worker}~a`], [`${worker}~b`, `${worker}~c`]])
}, 90_000)
