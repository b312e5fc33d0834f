import { expect, it } from 'vitest'
import type { QueueFacts } from '../../src/core/fleet/health.ts'
import type { Instance } from '../../src/core/fleet/instance.ts'
import { RegionWatch } from '../../src/service/fleet/region-watch.ts'
import { silentLog } from '../support/log.ts'

const QUEUE: QueueFacts = {
  worker: 'mailer',
  region: 'eu',
  ready: 1,
  pending: 1,
  active: 0,
  isHeld: false,
  taken: 0,
}

const instance = (more: Partial<Instance> = {}): Instance => ({
  id: 'a',
  workers: [{ name: 'mailer', slots: 1 }],
  release: 'none',
  region: 'eu',
  regional: true,
  host: 'eu-a',
  pid: 1,
  version: '0.1.0',
  mode: 'registered',
  startedAtMs: 0,
  change: 1,
  ...more,
})

/** When jobs were moved on, in seconds, of looks that come every five. */
async function movedAt(at: (second: number) => { instances?: readonly Instance[]; queue?: QueueFacts }) {
  const moved: number[] = []
  let second = 0
  const jobs = {
    async moveOn() {
      moved.push(second)
      return 1
    },
  }
  const watch = new RegionWatch({ jobs, log: silentLog })
  for (; second <= 40; second += 5) {
    const { instances = [], queue = QUEUE } = at(second)
    await watch.check(instances, [queue], 1_000_000 + second * 1_000)
  }
  return moved
}

it('moves on what nobody has taken in the region for 15 s, again and again', async () => {
  expect(await movedAt(() => ({}))).toEqual([15, 20, 25, 30, 35, 40])
})

it('counts from the end of the last one that was there, where that is known', async () => {
  const ended = instance({ end: { kind: 'lost', atMs: 990_000 } })
  expect((await movedAt(() => ({ instances: [ended] })))[0]).toBe(5)
})

it.each([
  ['an instance takes them there', () => ({ instances: [instance()] })],
  ['one comes back in time', (second: number) => ({ instances: second % 15 === 10 ? [instance()] : [] })],
  ['it has no jobs', () => ({ queue: { ...QUEUE, pending: 0 } })],
  [
    'it is the common queue',
    () => ({ queue: { worker: 'mailer', ready: 1, pending: 1, active: 0, isHeld: false, taken: 0 } }),
  ],
])('does nothing where %s', async (_, at) => {
  expect(await movedAt(at)).toEqual([])
})

const OLDER = (({ regional: _, ...one }: Instance): Instance => one)(instance())

it.each([
  ['of another region', instance({ region: 'us' })],
  ['of another worker', instance({ workers: [{ name: 'other', slots: 1 }] })],
  ['that takes no jobs', instance({ mode: 'unregistered' })],
  ['whose build takes none of a region', OLDER],
])('is not kept from it by an instance %s', async (_, other) => {
  expect((await movedAt(() => ({ instances: [other] })))[0]).toBe(15)
})
