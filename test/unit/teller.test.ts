import { expect, it, vi } from 'vitest'
import { Teller, type Viewer } from '../../src/http/pages/teller.ts'

interface Heard extends Viewer {
  readonly heard: string[]
  isOut: boolean
}

function viewer(): Heard {
  const heard: string[] = []
  const one: Heard = {
    heard,
    isOut: false,
    send: (text) => void heard.push(text),
    end: () => void heard.push('end'),
    isIn: async () => !one.isOut,
  }
  return one
}

const changes = ({ heard }: Heard) => heard.filter((text) => text.includes('changed'))

it('tells all who look what has changed, and looks once for all of them', async () => {
  let [rounds, readings] = ['a', 0]
  const teller = new Teller({
    readings: {
      rounds: async () => {
        readings += 1
        return rounds
      },
      alerts: async () => 'same',
    },
  })
  expect(readings).toBe(0)
  const [one, other] = [viewer(), viewer()]
  teller.add(one)
  teller.add(other)
  await vi.waitFor(() => expect(readings).toBeGreaterThan(0))
  rounds = 'b'
  await vi.waitFor(
    () => expect(changes(other)).toEqual(['event: changed\ndata: {"topics":["rounds"]}\n\n']),
    {
      timeout: 10_000,
    },
  )
  expect(changes(one)).toHaveLength(1)
  teller.remove(one)
  teller.remove(other)
  const before = readings
  await new Promise((resolve) => setTimeout(resolve, 2_500))
  expect(readings).toBeLessThanOrEqual(before + 1)
  await teller.stop()
})

it('takes a store that goes away for a change, and its return', async () => {
  let isAway = false
  const teller = new Teller({
    readings: { rounds: async () => (isAway ? Promise.reject(new Error('away')) : 'a') },
  })
  const one = viewer()
  teller.add(one)
  await vi.waitFor(() => expect(one.heard.some((text) => text.includes('ping'))).toBe(true), {
    timeout: 10_000,
  })
  isAway = true
  await vi.waitFor(() => expect(changes(one)).toHaveLength(1), { timeout: 10_000 })
  isAway = false
  await vi.waitFor(() => expect(changes(one)).toHaveLength(2), { timeout: 10_000 })
  await teller.stop()
  expect(one.heard.slice(-2)).toEqual(['event: bye\ndata: {}\n\n', 'end'])
  expect(teller.add(viewer())).toBe(false)
})

it('sends out who may not look any more, and nobody else', async () => {
  const teller = new Teller({ readings: {} })
  const [one, other] = [viewer(), viewer()]
  teller.add(one)
  teller.add(other)
  one.isOut = true
  await vi.waitFor(() => expect(one.heard).toContain('end'), { timeout: 10_000 })
  expect(one.heard).toContain('event: logout\ndata: {}\n\n')
  expect(other.heard).not.toContain('end')
  await teller.stop()
})

it('lets in no more than it can tell', async () => {
  const teller = new Teller({ readings: {} })
  const let200 = Array.from({ length: 201 }, () => teller.add(viewer()))
  expect(let200.filter(Boolean)).toHaveLength(200)
  await teller.stop()
})
