import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { OrderTask } from '../../src/core/fleet/order.ts'
import { InstancePulse, type RunningInstance } from '../../src/service/fleet/instance-pulse.ts'
import { MemoryFleet } from '../../src/store/fleet/memory-fleet.ts'
import { FakeProcess } from '../support/fake-process.ts'
import { silentLog } from '../support/log.ts'

const { facts } = new FakeProcess(1, { onWord() {}, onLine() {}, onEnd() {} })
const stats = { workers: {}, cpuPercent: 0, rssBytes: 1, loopDelayMs: 0 }
const ORDER = { actor: 'ops', reason: '', selection: '' }

let fleet: MemoryFleet
let obeyed: string[]
/** Ends the wait of the restart that was ordered. */
let answer: (why: string | undefined) => void
let instance: RunningInstance
let pulse: InstancePulse

beforeEach(async () => {
  vi.useFakeTimers()
  fleet = new MemoryFleet(() => Date.now())
  obeyed = []
  instance = {
    facts: () => facts,
    stats: () => stats,
    configure: async () => {},
    async obey({ verb }: OrderTask) {
      obeyed.push(verb)
      if (verb !== 'restart') return verb === 'stop' ? 'ends' : 'done'
      await new Promise<void>((resolve, reject) => {
        answer = (why) => (why === undefined ? resolve() : reject(new Error(why)))
      })
      return 'ends'
    },
  }
  const pokes = { poke: async () => {}, listen: async () => () => {} }
  pulse = new InstancePulse({ fleet, pokes, instance, log: silentLog, nowMs: () => Date.now() })
  pulse.start()
  await vi.advanceTimersByTimeAsync(100)
})

afterEach(() => {
  vi.useRealTimers()
})

async function order(id: string, verb: OrderTask['verb']): Promise<void> {
  const nowMs = Date.now()
  const outcomes = { [facts.id]: { kind: 'waiting' as const, atMs: nowMs, detail: '' } }
  const times = { givenAtMs: nowMs, untilMs: nowMs + 60_000 }
  await fleet.order({ ...ORDER, ...times, id, task: { verb }, outcomes })
  await vi.advanceTimersByTimeAsync(2_500)
}

async function outcome(id: string) {
  await vi.advanceTimersByTimeAsync(100)
  const { kind, detail } = (await fleet.orderRecord(id)).order?.outcomes[facts.id] ?? {}
  return [kind, detail]
}

describe('an instance', () => {
  it('obeys others while a restart waits for its turn', async () => {
    await order('1', 'restart')
    await order('2', 'unregister')
    await order('3', 'stop')
    expect(obeyed).toEqual(['restart', 'unregister', 'stop'])
    expect(await outcome('2')).toEqual(['done', ''])
    answer('it was told to stop')
    expect(await outcome('1')).toEqual(['failed', 'it was told to stop'])
    await pulse.stop()
    expect(await outcome('3')).toEqual(['done', ''])
  })

  it('is there and obeys while one of its workers takes its time for what is set', async () => {
    let configured = 0
    let settle = () => {}
    instance.configure = async () => {
      configured += 1
      await new Promise<void>((resolve) => {
        settle = resolve
      })
    }
    const set = (n: number) =>
      fleet.configure({ of: 'worker', name: 'mailer' }, { settings: { config: n }, actor: 'ops', reason: '' })
    await set(1)
    await vi.advanceTimersByTimeAsync(30_000)
    await fleet.reap(3_600_000)
    expect((await fleet.instance(facts.id)).instance?.end).toBeUndefined()
    await order('1', 'unregister')
    expect(await outcome('1')).toEqual(['done', ''])
    await set(2)
    await vi.advanceTimersByTimeAsync(5_000)
    expect(configured).toBe(1)
    for (let n = 0; n < 2; n += 1) {
      settle()
      await vi.advanceTimersByTimeAsync(5_000)
    }
    expect(configured).toBe(2)
  })

  it('ends without waiting for the turn of a restart, and says so of it', async () => {
    await order('1', 'restart')
    expect(await outcome('1')).toEqual(['obeying', ''])
    await pulse.stop()
    expect(await outcome('1')).toEqual(['failed', 'it has ended before its turn came'])
  })
})
