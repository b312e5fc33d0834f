import { expect, it } from 'vitest'
import { repeat } from '../../src/service/repeat.ts'

const LONG_MS = 3_600_000

it('does work again at once while there is more, and ends in the middle of a pause when it is stopped', async () => {
  const stopping = new AbortController()
  let rounds = 0
  const running = repeat(stopping.signal, LONG_MS, async () => ++rounds < 3, expect.unreachable)
  await expect.poll(() => rounds).toBe(3)
  stopping.abort()
  await running
  expect(rounds).toBe(3)
})

it('goes on after work that failed, and says why', async () => {
  const stopping = new AbortController()
  const causes: string[] = []
  const work = async () => {
    if (causes.length === 2) stopping.abort()
    throw new Error('down')
  }
  await repeat(stopping.signal, 1, work, (cause) => causes.push(cause))
  expect(causes).toEqual(Array(3).fill('Error: down'))
})

it('ends only when the work that is under way has', async () => {
  const stopping = new AbortController()
  let endWork = () => {}
  const work = new Promise<void>((resolve) => {
    endWork = resolve
  })
  let isOver = false
  const running = repeat(stopping.signal, 1, () => work, expect.unreachable).then(() => {
    isOver = true
  })
  stopping.abort()
  await new Promise(setImmediate)
  expect(isOver).toBe(false)
  endWork()
  await running
})
