import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { StoreMark, StoreMarks } from '../../src/core/rounds/round-ports.ts'
import type { RedisClient } from '../../src/redis/connections.ts'
import { type Want, wantedBy } from '../../src/redis/wants.ts'
import { type MemoryMark, MemoryMarks } from '../../src/store/memory-marks.ts'
import { RedisMarks } from '../../src/store/redis-marks.ts'
import { startRedisClient } from '../support/redis-client.ts'

interface World {
  /** One of the processes that count. */
  process(): StoreMarks
  empty(): Promise<void>
  /** Keeps how it is now; what it returns puts that back. */
  backUp(): Promise<() => Promise<void>>
  /** As if others had counted on for so long. */
  countOn(beats: number): Promise<void>
}

const KEY = 'gone:{~store}'
let client: RedisClient

beforeAll(async () => {
  client = await startRedisClient()
})

const worlds: Record<string, () => Promise<World>> = {
  'in memory': async () => {
    const marks = new Map<string, MemoryMark>()
    return {
      process: () => new MemoryMarks(marks, Date.now),
      empty: async () => marks.clear(),
      async backUp() {
        const backup = new Map(marks)
        return async () => backup.forEach((mark, part) => void marks.set(part, mark))
      },
      async countOn(beats) {
        for (const [part, mark] of marks) marks.set(part, { ...mark, beat: mark.beat + beats })
      },
    }
  },
  'in Redis': async () => {
    await client.flushall()
    return {
      process: () => new RedisMarks(client, () => []),
      empty: async () => void (await client.flushall()),
      async backUp() {
        const fields = await client.hgetall(KEY)
        return async () => {
          await client.del(KEY)
          await client.hset(KEY, fields)
        }
      },
      countOn: async (beats) => void (await client.hincrby(KEY, 'beat', beats)),
    }
  },
}

describe.each(Object.entries(worlds))('marks %s', (_, makeWorld) => {
  let world: World
  let marks: StoreMarks
  let part: string

  beforeEach(async () => {
    world = await makeWorld()
    marks = world.process()
    part = marks.parts[0] ?? ''
  })

  /** Counts on so many times, each from what the one before was told. */
  async function count(process: StoreMarks, times: number, known?: StoreMark): Promise<StoreMark> {
    let mark = known
    for (let n = 0; n < times; n += 1) {
      const beat = await process.beat(part, mark)
      expect(beat.loss).toBeUndefined()
      mark = beat.mark
    }
    return mark as StoreMark
  }

  it('have one part, which all processes count on together, and no loss to tell of', async () => {
    expect(marks.parts).toHaveLength(1)
    const other = world.process()
    const mine = await count(marks, 3)
    const theirs = await count(other, 2)
    expect(theirs).toEqual({ id: mine.id, beat: 5 })
    expect(await count(marks, 1, mine)).toEqual({ id: mine.id, beat: 6 })
  })

  it('tell that they were emptied, and go on under another id', async () => {
    const known = await count(marks, 3)
    await world.empty()
    const beat = await marks.beat(part, known)
    expect(beat).toMatchObject({ loss: 'emptied', mark: { beat: 1 } })
    expect(beat.keptAtMs).toBeUndefined()
    expect(beat.mark.id).not.toBe(known.id)
    await count(marks, 2, beat.mark)
  })

  it('tell that they were set back, since when, and then every other process by another id', async () => {
    const other = world.process()
    const theirs = await count(other, 1)
    const first = await marks.beat(part, undefined)
    const restore = await world.backUp()
    const known = await count(marks, 2, first.mark)
    await restore()
    const beat = await marks.beat(part, known)
    expect(beat).toMatchObject({ loss: 'setBack', keptAtMs: first.nowMs })
    expect((await other.beat(part, theirs)).loss).toBe('another')
    expect(beat.mark.id).not.toBe(known.id)
    await count(marks, 1, beat.mark)
  })

  it('take a process that was stopped for days for none that lost something, nor forget it while it counts', async () => {
    const known = await count(marks, 2)
    await world.countOn(100_000)
    const beat = await marks.beat(part, known)
    expect(beat).toMatchObject({ mark: { id: known.id } })
    expect(beat.loss).toBeUndefined()
    await count(marks, 1, beat.mark)
  })

  it('forget what processes counted that are far behind, as soon as another begins', async () => {
    const known = await count(marks, 2)
    await world.countOn(100_000)
    await count(world.process(), 1)
    const beat = await marks.beat(part, known)
    expect(beat.loss).toBeUndefined()
    expect(beat.keptAtMs).toBeUndefined()
  })
})

describe('a look at what wants something done, in Redis', () => {
  const MINUTE_MS = 60_000
  const inMs = (ms: number) => Date.now() + ms

  async function isWanted(...wants: readonly Want[]): Promise<boolean> {
    return (await new RedisMarks(client, () => wants).beat(KEY, undefined)).isWanted
  }

  beforeEach(async () => void (await client.flushall()))

  it('finds nothing where nothing is', async () => {
    const kinds = ['any', 'more', 'others', 'by', 'since'] as const
    expect(
      await isWanted(...kinds.map((when): Want => ({ key: `gone:{~none}:${when}`, when, than: 0 }))),
    ).toBe(false)
  })

  it.each<[string, Want, (key: string) => Promise<unknown>, boolean]>([
    ['whatever there is', { key: 'a', when: 'any', than: 0 }, (key) => client.rpush(key, 'job'), true],
    ['as many as are known', { key: 'a', when: 'more', than: 1 }, (key) => client.zadd(key, 1, 'x'), false],
    ['one more', { key: 'a', when: 'more', than: 1 }, (key) => client.zadd(key, 1, 'x', 1, 'y'), true],
    [
      'notes alone',
      { key: 'a', when: 'others', than: 2 },
      (key) => client.zadd(key, 9, '~b', 1, '~a'),
      false,
    ],
    [
      'one note and another',
      { key: 'a', when: 'others', than: 2 },
      (key) => client.zadd(key, 9, '~b', 10, 'x'),
      true,
    ],
    [
      'two notes and another',
      { key: 'a', when: 'others', than: 2 },
      (key) => client.zadd(key, 1, '~a', 9, '~b', 10, 'x'),
      true,
    ],
    [
      'what comes soon',
      wantedBy('a'),
      (key) => client.zadd(key, inMs(5_000), 'x', inMs(MINUTE_MS), 'y'),
      true,
    ],
    ['what comes later', wantedBy('a'), (key) => client.zadd(key, inMs(MINUTE_MS), 'x'), false],
    ['what is to be done later', wantedBy('a', MINUTE_MS), (key) => client.zadd(key, inMs(0), 'x'), false],
    [
      'what was just used',
      { key: 'a', when: 'since', than: MINUTE_MS },
      (key) => client.zadd(key, inMs(-5_000), 'x'),
      true,
    ],
    [
      'what was used long ago',
      { key: 'a', when: 'since', than: MINUTE_MS },
      (key) => client.zadd(key, inMs(-2 * MINUTE_MS), 'x'),
      false,
    ],
  ])('knows %s', async (_, want, put, wanted) => {
    const key = `gone:{~wants}:${want.key}`
    await put(key)
    expect(await isWanted({ key: 'gone:{~none}', when: 'any', than: 0 }, { ...want, key })).toBe(wanted)
  })
})
