import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { RoundJson } from '../../src/core/rounds/round-wire.ts'
import { startRedis } from '../support/redis.ts'
import { startTestServer } from '../support/server.ts'
import { startTestWorkers } from '../support/work.ts'

describe('an outage of Redis of 30 s', () => {
  it('is survived by a worker, which goes on by itself', async () => {
    const own = await startRedis()
    const facade = await startTestServer({ redis: own })
    await startTestWorkers(own, { mailer: async () => 'done' })
    await own.kill()
    // The outage itself.
    await sleep(30_000)
    await own.restart()
    const put = () =>
      fetch(`${facade.url}/api/v1/submit/mail/after`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"worker":"mailer"}',
      }).then(({ status }) => status)
    await expect.poll(put, { timeout: 30_000 }).toBeOneOf([200, 202])
    const state = async () =>
      ((await (await fetch(`${facade.url}/api/v1/rounds/mail/after`)).json()) as RoundJson).state
    await expect.poll(state, { timeout: 30_000 }).toBe('completed')
    await facade.stop()
    await own.stop()
  }, 90_000)
})
