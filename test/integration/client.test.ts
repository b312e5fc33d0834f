import { expect, it } from 'vitest'
import { startTestServer } from '../support/server.ts'

it('answers', async () => {
  const { url, stop } = await startTestServer()
  expect((await fetch(`${url}/api/v1/elect/a/b`)).status).toBe(202)
  await stop()
  await stop()
})
