import { afterAll, beforeAll, expect, it } from 'vitest'
import { fuzz } from '../support/fuzz.ts'
import { type FuzzTarget, startFuzzTarget } from '../support/fuzz-target.ts'

let target: FuzzTarget

beforeAll(async () => {
  target = await startFuzzTarget()
})

afterAll(async () => {
  await target.stop()
})

// The short form of `npm run fuzz`, with a seed that is new each time: a failure prints it.
it('answers whatever is sent to any endpoint with what is documented, and lives on', async () => {
  const sent = await fuzz(target, { seed: Date.now() % 2_147_483_647, ms: 15_000 })
  target.expectNoDefect()
  expect(sent).toBeGreaterThan(500)
})
