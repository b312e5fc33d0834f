import { beforeEach, describe, expect, it } from 'vitest'
import { KnownFleet } from '../../src/service/fleet/known-fleet.ts'
import { RegionsServed } from '../../src/service/fleet/regions-served.ts'
import { ServedWorkers } from '../../src/service/fleet/served-workers.ts'
import { MemoryFleet } from '../../src/store/fleet/memory-fleet.ts'

class CountedFleet extends MemoryFleet {
  snapshots = 0
  looks = 0

  override snapshot() {
    this.snapshots += 1
    return super.snapshot()
  }

  override changes(...asked: Parameters<MemoryFleet['changes']>) {
    this.looks += 1
    return super.changes(...asked)
  }
}

let nowMs: number
let fleet: CountedFleet
let known: KnownFleet

beforeEach(() => {
  nowMs = 1_000
  fleet = new CountedFleet(() => nowMs)
  known = new KnownFleet(fleet, () => nowMs)
})

const arrive = (id: string, name = 'mailer') =>
  fleet.pulse(
    [
      {
        id,
        facts: {
          id,
          workers: [{ name, slots: 2 }],
          release: '41',
          region: 'eu',
          regional: true,
          host: 'eu-a',
          pid: 1,
          version: '0.1.0',
          mode: 'registered',
        },
        known: 0,
      },
    ],
    600_000,
  )
const ids = async () => (await known.instances()).map(({ id }) => id)

describe('what a process knows of the fleet', () => {
  it('is read once, and followed from then on', async () => {
    await arrive('a')
    expect(await ids()).toEqual(['a'])
    await arrive('b')
    await fleet.leave('a')
    const [a, b] = await known.instances()
    expect([a?.end?.kind, b?.end]).toEqual(['ended', undefined])
    nowMs += 30_000
    await fleet.reap(10_000)
    expect(await ids()).toEqual(['b'])
    expect(fleet.snapshots).toBe(1)
  })

  it('holds more changes than are read at once', async () => {
    await known.instances()
    for (let n = 0; n < 1_200; n += 1) await arrive(`i-${n}`)
    expect(await ids()).toHaveLength(1_200)
    expect(fleet.snapshots).toBe(1)
  })

  it('is read anew where changes in between are no longer kept, and now and then', async () => {
    await known.instances()
    for (let n = 0; n < 5_100; n += 1) await arrive(`i-${n}`)
    expect(await ids()).toHaveLength(5_100)
    expect(fleet.snapshots).toBe(2)
    nowMs += 60_000
    await known.instances()
    expect(fleet.snapshots).toBe(3)
  })

  it('is asked for by two looks, however many ask at once', async () => {
    await arrive('a')
    const regions = new RegionsServed(known)
    const served = new ServedWorkers({ fleet: known, consumers: async () => 0, nowMs: () => nowMs })
    await known.instances()
    const asked = Array.from({ length: 100 }, (_, n) => [
      regions.serves('mailer', 'eu'),
      served.serves(n % 2 === 0 ? 'mailer' : 'report'),
    ])
    const answers = await Promise.all(asked.flat())
    expect(answers.filter((isServed) => isServed)).toHaveLength(150)
    expect([fleet.snapshots, fleet.looks]).toEqual([1, 2])
  })
})
