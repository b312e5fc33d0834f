import { expect, it, vi } from 'vitest'
import { GoneError } from '../../src/errors.ts'
import { FleetFollower } from '../../src/service/fleet/follower.ts'
import { MemoryFleet } from '../../src/store/fleet/memory-fleet.ts'

const facts = {
  id: 'a',
  workers: [],
  release: '41',
  region: 'eu',
  host: 'eu-a',
  pid: 1,
  version: '0.1.0',
  mode: 'registered',
} as const

it('tells who listened to a lost count to begin anew, and nobody beside', async () => {
  const fleet = new MemoryFleet(() => 1_000)
  const { change, epoch } = await fleet.snapshot()
  await fleet.pulse([{ id: 'a', facts, known: 0 }], 60_000)
  const follower = new FleetFollower(fleet, () => 0)
  const { signal } = new AbortController()
  const listen = (mark: { change: number; epoch: string }) => follower.next(mark, 0, signal)
  const [lost, told] = await Promise.all([listen({ change, epoch: 'another' }), listen({ change, epoch })])
  expect(lost).toBeUndefined()
  expect(told?.changes.map(({ id }) => id)).toEqual(['a'])
})

/** Each snapshot waits until it is let go, as one does that is read from a store. */
class SlowFleet extends MemoryFleet {
  readonly begun: { go(): void; fail(): void }[] = []

  override snapshot() {
    const now = super.snapshot()
    return new Promise<Awaited<typeof now>>((resolve, reject) => {
      const fail = () => reject(new GoneError('STORE_UNAVAILABLE', 'cannot list the instances'))
      this.begun.push({ go: () => resolve(now), fail })
    })
  }
}

it('reads one snapshot at a time for all who ask, each of what was so when it was asked', async () => {
  const fleet = new SlowFleet(() => 1_000)
  const follower = new FleetFollower(fleet, () => 0)
  const first = follower.snapshot()
  await fleet.pulse([{ id: 'a', facts, known: 0 }], 60_000)
  const others = Array.from({ length: 60 }, () => follower.snapshot())
  expect(fleet.begun).toHaveLength(1)
  fleet.begun[0]?.go()
  expect((await first).instances).toEqual([])
  await expect.poll(() => fleet.begun.length).toBe(2)
  const later = follower.snapshot()
  fleet.begun[1]?.go()
  for (const { instances } of await Promise.all(others)) expect(instances.map(({ id }) => id)).toEqual(['a'])
  await expect.poll(() => fleet.begun.length).toBe(3)
  fleet.begun[2]?.go()
  expect((await later).instances).toHaveLength(1)
})

it('reads the next snapshot where one could not be read', async () => {
  const fleet = new SlowFleet(() => 1_000)
  const follower = new FleetFollower(fleet, () => 0)
  const [failed, next] = [follower.snapshot(), follower.snapshot()]
  fleet.begun[0]?.fail()
  await expect(failed).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  await expect.poll(() => fleet.begun.length).toBe(2)
  fleet.begun[1]?.go()
  expect((await next).instances).toEqual([])
})

it('has who is ahead of the look wait for the next one, and says nothing meanwhile', async () => {
  vi.useFakeTimers()
  try {
    const fleet = new MemoryFleet(() => 1_000)
    const follower = new FleetFollower(fleet, () => Date.now())
    const { change, epoch } = await fleet.latest()
    const { signal } = new AbortController()
    const first = follower.next({ change, epoch }, 0, signal)
    await fleet.pulse([{ id: 'a', facts, known: 0 }], 60_000)
    // The look was before it, so whoever has read it since knows more than that.
    const ahead = (await fleet.latest()).change
    expect(await first).toMatchObject({ changes: [] })
    let isTold = false
    const next = follower.next({ change: ahead, epoch }, 10_000, signal).finally(() => {
      isTold = true
    })
    await vi.advanceTimersByTimeAsync(1_000)
    expect(isTold).toBe(false)
    await fleet.pulse([{ id: 'b', facts: { ...facts, id: 'b' }, known: 0 }], 60_000)
    await vi.advanceTimersByTimeAsync(1_000)
    expect((await next)?.changes.map(({ id }) => id)).toEqual(['b'])
  } finally {
    vi.useRealTimers()
  }
})

it('has those who began to listen at different times hear of a change at the same look', async () => {
  vi.useFakeTimers()
  try {
    const fleet = new MemoryFleet(() => 1_000)
    const latest = vi.spyOn(fleet, 'latest')
    const follower = new FleetFollower(fleet, () => Date.now())
    const { change, epoch } = await fleet.latest()
    const { signal } = new AbortController()
    const beganMs = Date.now()
    const heardMs: number[] = []
    for (let n = 0; n < 20; n += 1) {
      void follower.next({ change, epoch }, 10_000, signal).then(() => heardMs.push(Date.now() - beganMs))
      await vi.advanceTimersByTimeAsync(9)
    }
    // The first look is over, and the second is 20 ms away from the last who began.
    await fleet.pulse([{ id: 'a', facts, known: 0 }], 60_000)
    await vi.advanceTimersByTimeAsync(1_000)
    expect(heardMs).toHaveLength(20)
    expect(Math.max(...heardMs)).toBeLessThanOrEqual(201)
    // Besides that of the test: all of them have looked twice.
    expect(latest).toHaveBeenCalledTimes(3)
  } finally {
    vi.useRealTimers()
  }
})
