import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { PlaceReport, PoolPlace, Runs } from '../../src/core/fleet/pool.ts'
import type { InstanceListener } from '../../src/core/fleet/supervised.ts'
import { PoolPlaces } from '../../src/service/fleet/pool-places.ts'
import { Supervisor } from '../../src/service/fleet/supervisor.ts'
import { MemoryPools } from '../../src/store/pools/memory-pools.ts'
import { FakeProcess } from '../support/fake-process.ts'
import { silentLog } from '../support/log.ts'

const POOL = { name: 'mail', spec: { instances: 1 }, before: [], actor: 'ops', reason: '', atMs: 0 }
const NOTHING = { pools: [], places: [], gone: [] }

class Run extends FakeProcess {
  constructor(
    pid: number,
    listener: InstanceListener,
    readonly runs: Runs,
  ) {
    super(pid, listener)
  }

  get isAlive(): boolean {
    return !this.hasEnded
  }
}

let processes: Run[]
let store: MemoryPools
let supervisor: Supervisor
let places: PoolPlaces

beforeEach(async () => {
  vi.useFakeTimers()
  processes = []
  store = new MemoryPools(() => Date.now())
  supervisor = new Supervisor({
    instances: 0,
    beginAtOnce: 1,
    log: silentLog,
    nowMs: () => Date.now(),
    random: () => 0.5,
    startInstance: () => {
      throw new Error('places of pools are started in a way of their own')
    },
    rssOf: () => 80_000_000,
    show: vi.fn(),
    drainMs: 60_000,
    endMs: 10_000,
    limits: {},
    hungMs: 30_000,
    pressure: { limits: {}, lastMs: 30_000, hostLoad: () => 0, spare: async () => false },
    isStuck: async () => false,
    showSilent: async () => {},
    mayRecycle: async () => true,
    onDeath: vi.fn(),
  })
  places = new PoolPlaces({
    id: 's',
    pools: store,
    pokes: { poke: async () => {}, listen: async () => () => {} },
    supervisor,
    startInstance(_, runs, listener) {
      const one = new Run(processes.length + 1, listener, runs)
      processes.push(one)
      return one
    },
    async facts(named) {
      return {
        host: 'h',
        region: 'eu',
        most: 4,
        workers: [],
        releases: ['41', '42', ...(named.has('7') ? ['7'] : [])],
      }
    },
    log: silentLog,
    nowMs: () => Date.now(),
  })
  supervisor.start()
  places.start()
  await pass(100)
})

afterEach(async () => {
  const stopped = Promise.all([places.stop(), supervisor.stop()])
  await vi.advanceTimersByTimeAsync(80_000)
  await stopped
  vi.useRealTimers()
})

/** Time, in which all that live say so. */
async function pass(ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 250) {
    for (const one of processes) one.tick()
    await vi.advanceTimersByTimeAsync(Math.min(250, left))
  }
}

/** Gives the place to this supervisor, to run that. */
async function give(release: string, more: Partial<PoolPlace> = {}): Promise<void> {
  const { revision } = await store.read()
  const place = {
    pool: 'mail',
    number: 1,
    supervisor: 's',
    runs: { release },
    epoch: revision + 1,
    sinceMs: 0,
  }
  await store.change({ ...NOTHING, pools: [POOL], places: [{ ...place, ...more }] }, revision)
  await pass(2_500)
}

async function report(): Promise<PlaceReport | undefined> {
  await pass(2_500)
  return (await store.read()).supervisors[0]?.reports['mail/1']
}

const at = (n: number) => processes[n] as Run
const alive = () => processes.filter(({ isAlive }) => isAlive).map(({ runs }) => runs.release)

describe('a supervisor with places of pools', () => {
  it('runs what it is given, starts it again where it dies, and ends it once it is not its any more', async () => {
    await give('41')
    expect(await report()).toMatchObject({ state: 'begins' })
    at(0).ready()
    expect(await report()).toMatchObject({ state: 'works' })
    at(0).exit(null, 'SIGKILL')
    await pass(2_000)
    expect(processes.map(({ runs }) => runs.release)).toEqual(['41', '41'])
    at(1).ready()
    await pass(500)
    const { revision, places: had } = await store.read()
    await store.change({ ...NOTHING, gone: had }, revision)
    await pass(4_000)
    expect(alive()).toEqual([])
    expect(await report()).toBeUndefined()
  })

  it('has something new prove itself for 10 s before what was there ends', async () => {
    await give('41')
    at(0).ready()
    await give('42', { isTried: true })
    expect(alive()).toEqual(['41', '42'])
    at(1).ready()
    await pass(5_000)
    expect(alive()).toEqual(['41', '42'])
    expect(await report()).toMatchObject({ state: 'begins' })
    await pass(5_000)
    expect(alive()).toEqual(['42'])
    expect(await report()).toMatchObject({ state: 'works' })
  })

  it.each([
    ['does not begin', false, 'its successor did not begin: exit code 1'],
    ['dies soon', true, 'its successor died soon: exit code 1'],
  ])('keeps what was there where something new %s, and tries it once', async (_, begins, why) => {
    await give('41')
    at(0).ready()
    await give('42', { isTried: true })
    if (begins) at(1).ready()
    await pass(3_000)
    at(1).exit(1, null)
    expect(await report()).toMatchObject({ state: 'failed', why })
    await pass(30_000)
    expect(processes).toHaveLength(2)
    expect(alive()).toEqual(['41'])
    await give('41')
    expect(await report()).toMatchObject({ state: 'works' })
    expect(processes).toHaveLength(2)
  })

  it('calls nothing a failure that somebody stops while its successor begins, and starts what is new then', async () => {
    await give('41')
    at(0).ready()
    await give('42', { isTried: true })
    void supervisor.places[0]?.rest()
    await pass(1_000)
    at(1).ready()
    await pass(20_000)
    expect(await report()).toMatchObject({ state: 'stopped' })
    expect(alive()).toEqual([])
    supervisor.places[0]?.startAnew()
    await pass(1_000)
    expect(alive()).toEqual(['42'])
  })

  it('has something new in the place of what crashes again and again', async () => {
    await give('41')
    for (let n = 0; n < 5; n += 1) {
      at(n).ready()
      at(n).exit(1, null)
      await pass(5_000)
    }
    expect(await report()).toMatchObject({ state: 'crash-looping' })
    await give('42', { isTried: true })
    expect(alive()).toEqual(['42'])
    at(5).ready()
    expect(await report()).toMatchObject({ state: 'begins' })
    await pass(10_000)
    expect(await report()).toMatchObject({ state: 'works' })
  })

  it.each([
    ['works', true],
    ['begins', false],
  ])('takes nothing for proven that was tried again before the change, and %s then', async (_, begins) => {
    await give('41')
    for (let n = 0; n < 5; n += 1) {
      at(n).ready()
      at(n).exit(1, null)
      await pass(5_000)
    }
    await pass(300_000)
    expect(alive()).toEqual(['41'])
    if (begins) at(5).ready()
    await give('42', { isTried: true })
    expect(alive()).toEqual(['42'])
    at(6).ready()
    await pass(5_000)
    expect(await report()).toMatchObject({ state: 'begins' })
    at(6).exit(1, null)
    for (let n = 7; n < 11; n += 1) {
      await pass(5_000)
      at(n).ready()
      at(n).exit(1, null)
    }
    expect(await report()).toMatchObject({ state: 'failed', why: 'its instances die again and again' })
  })

  it('leaves a place to where it was until it works elsewhere', async () => {
    await give('41')
    at(0).ready()
    await give('41', { supervisor: 'other', from: 's' })
    expect(alive()).toEqual(['41'])
    await give('41', { supervisor: 'other' })
    await pass(2_000)
    expect(alive()).toEqual([])
  })

  it('keeps what it runs where the store is away, and where that has lost all', async () => {
    await give('41')
    at(0).ready()
    await pass(3_000)
    const away = vi.spyOn(store, 'attend').mockRejectedValue(new Error('away'))
    await pass(30_000)
    expect(alive()).toEqual(['41'])
    away.mockRestore()
    const read = vi.spyOn(store, 'read')
    read.mockResolvedValue({ nowMs: 0, revision: 1, pools: [], places: [], supervisors: [] })
    vi.spyOn(store, 'attend').mockResolvedValue(1)
    await pass(30_000)
    expect(alive()).toEqual(['41'])
    vi.restoreAllMocks()
    await pass(3_000)
    expect(alive()).toEqual(['41'])
  })

  it('says of an old release, too, that it has it, where a pool names that', async () => {
    const { revision } = await store.read()
    await store.change({ ...NOTHING, pools: [{ ...POOL, before: ['7'] }] }, revision)
    await pass(5_000)
    expect((await store.read()).supervisors[0]?.releases).toEqual(['41', '42', '7'])
  })

  it('says that its places may go elsewhere when it ends', async () => {
    await give('41')
    at(0).ready()
    await places.stop()
    expect((await store.read()).supervisors).toEqual([])
  })
})
