import { afterEach, beforeEach, describe, expect, it, type Mock, vi } from 'vitest'
import { WITHOUT_STORE } from '../../src/core/fleet/supervised.ts'
import type { Place } from '../../src/service/fleet/place.ts'
import { Supervisor, type SupervisorParts } from '../../src/service/fleet/supervisor.ts'
import { FakeProcess } from '../support/fake-process.ts'
import { silentLog } from '../support/log.ts'

const MIB = 1_048_576
let processes: FakeProcess[]
let rss: Map<number, number>
let supervisor: Supervisor
let mayRecycle: Mock<SupervisorParts['mayRecycle']>
let onDeath: Mock<SupervisorParts['onDeath']>
let spare: Mock<SupervisorParts['pressure']['spare']>
let hostLoad: number

beforeEach(() => {
  vi.useFakeTimers()
  processes = []
  rss = new Map()
})

afterEach(async () => {
  const stopped = supervisor.stop()
  await vi.advanceTimersByTimeAsync(60_000)
  await stopped
  vi.useRealTimers()
})

async function start(instances: number, more: Partial<SupervisorParts> = {}): Promise<void> {
  mayRecycle = vi.fn<SupervisorParts['mayRecycle']>(async () => true)
  onDeath = vi.fn<SupervisorParts['onDeath']>()
  spare = vi.fn<SupervisorParts['pressure']['spare']>(async () => true)
  hostLoad = 0
  supervisor = new Supervisor({
    instances,
    beginAtOnce: 1,
    log: silentLog,
    nowMs: () => Date.now(),
    random: () => 0.5,
    startInstance(_, listener) {
      const started = new FakeProcess(processes.length + 1, listener)
      rss.set(started.pid, 80 * MIB)
      processes.push(started)
      return started
    },
    rssOf: (pid) => rss.get(pid),
    show: vi.fn(),
    drainMs: 60_000,
    endMs: 10_000,
    limits: {},
    hungMs: 30_000,
    pressure: {
      limits: { cpu: 95, load: 2 },
      lastMs: 30_000,
      hostLoad: () => hostLoad,
      spare: (...of) => spare(...of),
    },
    isStuck: async () => false,
    showSilent: async () => {},
    mayRecycle,
    onDeath,
    ...more,
  })
  supervisor.start()
  for (let n = 0; n < instances; n += 1) {
    await vi.advanceTimersByTimeAsync(10)
    processes[n]?.ready()
  }
  await pass(600)
}

/** Time, in which all that live are heard, but for these. */
async function pass(ms: number, silent: readonly FakeProcess[] = []): Promise<void> {
  for (let left = ms; left > 0; left -= 500) {
    for (const one of processes) if (!silent.includes(one)) one.tick()
    await vi.advanceTimersByTimeAsync(Math.min(500, left))
  }
}

const at = (n: number) => processes[n] as FakeProcess

describe('a supervisor', () => {
  it('kills what is not heard for so long, and no sooner', async () => {
    await start(1)
    await pass(29_000, [at(0)])
    expect(at(0).isKilled).toBe(false)
    await pass(2_000, [at(0)])
    expect(at(0).isKilled).toBe(true)
    expect(processes).toHaveLength(2)
    expect(onDeath).toHaveBeenCalledOnce()
  })

  it('only tells of it where enough were ended of late', async () => {
    await start(1)
    mayRecycle.mockResolvedValue(false)
    await pass(40_000, [at(0)])
    expect(at(0).isKilled).toBe(false)
    mayRecycle.mockRejectedValue(new Error('the store is away'))
    await pass(10_000, [at(0)])
    expect(at(0).isKilled).toBe(false)
  })

  it('takes nobody for silent because it stood still itself', async () => {
    await start(1)
    vi.setSystemTime(Date.now() + 120_000)
    await pass(3_000, [at(0)])
    expect(at(0).isKilled).toBe(false)
  })

  it('replaces what leaks, and kills it if it goes on while it is drained', async () => {
    await start(1, { limits: { memoryBytes: 200 * MIB } })
    rss.set(1, 161 * MIB)
    await pass(1_000)
    expect(processes).toHaveLength(2)
    expect(at(0).told).toEqual([])
    at(1).ready()
    await vi.advanceTimersByTimeAsync(10)
    expect(at(0).told).toEqual([{ kind: 'rest' }])
    at(0).tick(1)
    await vi.advanceTimersByTimeAsync(600)
    expect(at(0).hasEnded).toBe(false)
    rss.set(1, 201 * MIB)
    await vi.advanceTimersByTimeAsync(600)
    expect(at(0).isKilled).toBe(true)
    expect(at(1).hasEnded).toBe(false)
    expect(processes).toHaveLength(2)
  })

  it('leaves the instance of now where its successor ends before it works, and does not try at once again', async () => {
    await start(1, { limits: { maxJobs: 1 } })
    at(0).tick(0, 1)
    await vi.advanceTimersByTimeAsync(600)
    at(1).exit(1, null)
    await vi.advanceTimersByTimeAsync(20_000)
    expect(at(0).hasEnded).toBe(false)
    expect(processes).toHaveLength(2)
  })

  const pressed = (n: number) => at(n).told.filter(({ kind }) => kind === 'press')

  it('has one take no jobs as long as it is under pressure, and no other', async () => {
    await start(2)
    at(0).busy = { cpu: 100, loop: 0 }
    await pass(25_000)
    expect(pressed(0)).toEqual([])
    await pass(12_000)
    expect(pressed(0)).toEqual([{ kind: 'press', cause: 'cpu' }])
    expect(spare).toHaveBeenCalledWith(expect.objectContaining({ facts: at(0).facts }), 'cpu')
    at(0).busy = { cpu: 80, loop: 0 }
    await pass(60_000)
    expect(pressed(0)).toHaveLength(1)
    at(0).busy = { cpu: 1, loop: 0 }
    await pass(40_000)
    expect(pressed(0)).toEqual([{ kind: 'press', cause: 'cpu' }, { kind: 'press' }])
    expect(pressed(1)).toEqual([])
  })

  it('takes nobody out who cannot be spared, or where the store is away, and has those back who are missed', async () => {
    await start(2)
    spare.mockResolvedValue(false)
    hostLoad = 3
    await pass(60_000)
    spare.mockRejectedValue(new Error('the store is away'))
    await pass(60_000)
    expect([...pressed(0), ...pressed(1)]).toEqual([])
    spare.mockImplementation(async ({ place }) => place === 1)
    await pass(10_000)
    expect([pressed(0), pressed(1)]).toEqual([[{ kind: 'press', cause: 'load' }], []])
    await pass(60_000)
    expect(pressed(0)).toHaveLength(1)
    spare.mockResolvedValue(false)
    await pass(15_000)
    expect(pressed(0)).toEqual([{ kind: 'press', cause: 'load' }, { kind: 'press' }])
  })

  it('has one that was registered by hand take jobs for as long again', async () => {
    await start(2)
    spare.mockImplementation(async ({ place }) => place === 1)
    hostLoad = 3
    await pass(40_000)
    expect(pressed(0)).toHaveLength(1)
    await pass(20_000)
    // By an order, which it obeys as it does this.
    at(0).told.push({ kind: 'press' })
    await pass(25_000)
    expect(pressed(0)).toHaveLength(2)
    await pass(15_000)
    expect(pressed(0)).toHaveLength(3)
  })

  it('has one say anew how it is where it is not known whether it was taken out', async () => {
    await start(2)
    spare.mockRejectedValue(new Error('the answer is lost'))
    at(0).busy = { cpu: 100, loop: 0 }
    await pass(40_000)
    expect(pressed(0)).toEqual([])
    expect(at(0).told).toContainEqual({ kind: 'retell' })
  })

  it('replaces one after the other', async () => {
    await start(2)
    for (const one of [at(0), at(1)]) one.listener.onWord({ kind: 'ordered', how: 'restart' })
    await vi.advanceTimersByTimeAsync(100)
    expect(processes).toHaveLength(3)
    at(2).ready()
    await pass(1_000)
    expect(at(0).hasEnded).toBe(true)
    expect([at(1).hasEnded, processes.length]).toEqual([false, 4])
  })

  const orderRestart = (n: number) => at(n).listener.onWord({ kind: 'ordered', how: 'restart' })
  const refusals = (n: number) => at(n).told.filter(({ kind }) => kind === 'refused')

  it('answers each order to restart, also soon after one whose successor did not begin', async () => {
    await start(1)
    for (const count of [1, 2]) {
      orderRestart(0)
      await pass(100)
      at(count).exit(1, null)
      await pass(100)
      expect(refusals(0)).toHaveLength(count)
    }
    orderRestart(0)
    await pass(100)
    at(3).ready()
    await pass(1_000)
    expect([at(0).hasEnded, at(3).hasEnded]).toEqual([true, false])
  })

  it('answers an order to restart what is being replaced for another cause', async () => {
    await start(1, { limits: { maxJobs: 1 } })
    at(0).tick(0, 1)
    await vi.advanceTimersByTimeAsync(600)
    orderRestart(0)
    at(1).exit(1, null)
    await pass(100)
    expect(refusals(0)).toHaveLength(1)
    const renewed = supervisor.renew(supervisor.places[0] as Place, 10_000)
    await pass(100)
    orderRestart(0)
    at(2).exit(1, null)
    await pass(100)
    expect(await renewed).toContain('did not begin')
    expect(refusals(0)).toHaveLength(2)
  })

  it('has nobody in the place of one that is told to stop before its turn to restart', async () => {
    await start(2)
    for (const n of [0, 1]) orderRestart(n)
    await pass(100)
    at(1).listener.onWord({ kind: 'ordered', how: 'stop' })
    at(1).tick(1)
    await vi.advanceTimersByTimeAsync(10)
    expect(at(1).told).toEqual([{ kind: 'rest' }])
    at(2).ready()
    await vi.advanceTimersByTimeAsync(10)
    at(0).tick()
    await vi.advanceTimersByTimeAsync(100)
    expect([at(0).hasEnded, at(1).hasEnded, processes.length]).toEqual([true, false, 3])
    await pass(1_000)
    expect([at(1).hasEnded, processes.length]).toEqual([true, 3])
  })

  it('starts no second instance in a place that has another in turn', async () => {
    await start(1)
    orderRestart(0)
    await pass(100)
    at(0).exit(null, 'SIGKILL')
    await pass(100)
    supervisor.places[0]?.startAnew()
    await pass(1_000)
    at(1).ready()
    await pass(1_000)
    expect([processes.length, supervisor.working]).toEqual([2, 1])
  })

  it('goes on where the system starts no process, and tries that again', async () => {
    let isFull = false
    await start(2, {
      startInstance(_, listener) {
        if (isFull) throw new Error('spawn ENOMEM')
        const started = new FakeProcess(processes.length + 1, listener)
        processes.push(started)
        return started
      },
    })
    isFull = true
    at(0).exit(null, 'SIGKILL')
    orderRestart(1)
    await pass(1_500)
    expect([refusals(1), processes.length]).toEqual([
      [{ kind: 'refused', why: 'its successor did not begin: it could not be started' }],
      2,
    ])
    isFull = false
    await pass(10_000)
    expect(processes).toHaveLength(3)
  })

  it('takes nothing for a crash loop that only has not reached the store, and tries again until it has', async () => {
    await start(1)
    at(0).exit(null, 'SIGKILL')
    for (let n = 1; n <= 20; n += 1) {
      await pass(5_000)
      at(n).exit(WITHOUT_STORE, null)
    }
    expect(supervisor.places[0]?.standing).toBe('begins')
    // The first one's: the others were never listed.
    expect(onDeath).toHaveBeenCalledTimes(1)
    await pass(5_000)
    at(21).ready()
    await pass(100)
    expect(supervisor.places[0]?.standing).toBe('works')
  })

  it('takes what never begins for a crash loop, too', async () => {
    await start(1)
    at(0).exit(1, null)
    await pass(400_000)
    expect([processes.length, supervisor.places[0]?.standing]).toEqual([5, 'crash-looping'])
  })

  it('starts nothing more once it stops', async () => {
    await start(2)
    const stopped = supervisor.stop()
    await vi.advanceTimersByTimeAsync(100)
    await stopped
    expect(processes.every(({ hasEnded }) => hasEnded)).toBe(true)
    await vi.advanceTimersByTimeAsync(120_000)
    expect(processes).toHaveLength(2)
    expect(onDeath).not.toHaveBeenCalled()
  })
})
