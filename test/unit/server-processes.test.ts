import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { keepCounts } from '../../src/core/kept-counts.ts'
import type { MetricJson, ServerListener, ToServer } from '../../src/core/siblings.ts'
import { ServerProcesses } from '../../src/service/server-processes.ts'
import { silentLog } from '../support/log.ts'

/** A process that is only said to be one. */
class FakeProcess {
  readonly told: ToServer[] = []
  elections = 0
  obeys = true
  hasEnded = false

  constructor(
    readonly pid: number,
    private readonly listener: ServerListener,
  ) {}

  serve(): void {
    this.listener.onWord({ kind: 'serves', url: 'http://127.0.0.1:8080' })
  }

  tick(): void {
    if (!this.hasEnded) this.listener.onWord({ kind: 'tick' })
  }

  ask(what: 'counts' | 'state'): void {
    this.listener.onWord({ kind: 'ask', id: 7, what })
  }

  unable(message: string): void {
    this.listener.onWord({ kind: 'unable', code: 'CONFIG', message })
    this.exit(2, null)
  }

  exit(code: number | null, signal: string | null): void {
    if (this.hasEnded) return
    this.hasEnded = true
    this.listener.onEnd({ code, signal })
  }

  tell(word: ToServer): void {
    this.told.push(word)
    if (!this.obeys) return
    if (word.kind === 'stop') this.exit(0, null)
    if (word.kind === 'count')
      this.listener.onWord({ kind: 'counted', id: word.id, counts: countsOf(this.elections) })
  }

  kill(): void {
    this.exit(null, 'SIGKILL')
  }

  /** What it was answered last. */
  get answer(): Extract<ToServer, { kind: 'answer' }> {
    const last = this.told.filter((word) => word.kind === 'answer').at(-1)
    if (last === undefined) throw new Error('nothing was answered')
    return last
  }
}

function countsOf(elections: number): MetricJson[] {
  const shared = { help: '', aggregator: 'sum' }
  return [
    {
      ...shared,
      name: 'elections',
      type: 'counter',
      values: [{ value: elections, labels: { outcome: 'lost' } }],
    },
    { ...shared, name: 'memory', type: 'gauge', values: [{ value: 50, labels: {} }] },
  ]
}

let started: FakeProcess[]
let trouble: string | undefined
let processes: ServerProcesses

beforeEach(() => {
  vi.useFakeTimers()
  started = []
  trouble = undefined
  processes = new ServerProcesses({
    count: 2,
    startProcess: (listener) => {
      const process = new FakeProcess(started.length + 1, listener)
      started.push(process)
      return process
    },
    log: silentLog,
    nowMs: () => performance.now(),
    random: () => 0.5,
    endMs: 5_000,
    trouble: () => trouble,
  })
})

afterEach(async () => {
  const stopped = processes.stop()
  await vi.advanceTimersByTimeAsync(10_000)
  await stopped
  vi.useRealTimers()
})

const nth = (number: number) => started[number - 1] as FakeProcess

async function bothServe(): Promise<void> {
  const begun = processes.start()
  nth(1).serve()
  nth(2).serve()
  expect(await begun).toBe('http://127.0.0.1:8080')
}

/** Time passes, and whoever is not silent ticks. */
async function pass(ms: number, silent?: FakeProcess): Promise<void> {
  for (let passed = 0; passed < ms; passed += 1_000) {
    for (const process of started) if (process !== silent) process.tick()
    await vi.advanceTimersByTimeAsync(1_000)
  }
}

async function asked(what: 'counts' | 'state', of = nth(1)) {
  of.ask(what)
  await vi.advanceTimersByTimeAsync(1_500)
  return of.answer
}

/** The sum of all that were told to have been counted. */
const sumOf = (counts: readonly (readonly MetricJson[])[] = [], name = 'elections') =>
  counts
    .flat()
    .filter((metric) => metric.name === name)
    .flatMap(({ values }) => values)
    .reduce((sum, { value }) => sum + value, 0)

it('has begun once all of them serve', async () => {
  let url: string | undefined
  void processes.start().then((found) => {
    url = found
  })
  nth(1).serve()
  await vi.advanceTimersByTimeAsync(10)
  expect(url).toBeUndefined()
  nth(2).serve()
  await vi.advanceTimersByTimeAsync(10)
  expect(url).toBe('http://127.0.0.1:8080')
})

it('says that some are still starting, and not that they have ended, until all of them serve', async () => {
  void processes.start()
  nth(1).serve()
  expect((await asked('state')).state).toEqual({
    warning: '1 of 2 processes of this server are still starting',
  })
  nth(2).serve()
  expect((await asked('state')).state).toEqual({})
})

it('cannot begin where one of them says why it cannot', async () => {
  const begun = expect(processes.start()).rejects.toThrow('port 8080 is taken')
  nth(1).serve()
  nth(2).unable('port 8080 is taken')
  await begun
})

it('starts another at once for one that died, and later each time that it dies again, ten seconds at most', async () => {
  await bothServe()
  await pass(120_000)
  nth(2).exit(null, 'SIGKILL')
  await vi.advanceTimersByTimeAsync(1)
  expect(started).toHaveLength(3)
  const pauses: number[] = []
  for (let died = 0; died < 8; died += 1) {
    started.at(-1)?.exit(1, null)
    const before = started.length
    const fromMs = performance.now()
    while (started.length === before) {
      nth(1).tick()
      await vi.advanceTimersByTimeAsync(100)
    }
    pauses.push(Math.round((performance.now() - fromMs) / 100) / 10)
  }
  expect(pauses[0]).toBeLessThanOrEqual(0.1)
  expect(pauses).toEqual([...pauses].sort((a, b) => a - b))
  expect(pauses.at(-1)).toBe(10)
})

it('adds up what all have counted, and what those had that are dead', async () => {
  await bothServe()
  nth(1).elections = 3
  nth(2).elections = 4
  expect(sumOf((await asked('counts')).counts)).toBe(7)
  nth(2).exit(null, 'SIGKILL')
  await vi.advanceTimersByTimeAsync(1)
  nth(3).serve()
  nth(3).elections = 1
  const { counts } = await asked('counts', nth(3))
  expect(sumOf(counts)).toBe(8)
  expect(sumOf(counts, 'memory')).toBe(100)
})

it('takes what one has said last that does not answer', async () => {
  await bothServe()
  nth(2).elections = 4
  await asked('counts')
  nth(2).obeys = false
  nth(1).elections = 5
  expect(sumOf((await asked('counts')).counts)).toBe(9)
})

it('says that callers may come to one that does not answer, and ends it', async () => {
  await bothServe()
  expect((await asked('state')).state).toEqual({})
  await pass(7_000, nth(2))
  expect((await asked('state')).state?.trouble).toBe('1 of 2 processes of this server do not answer')
  await pass(10_000, nth(2))
  expect(nth(2).hasEnded).toBe(true)
  expect((await asked('state')).state).toEqual({
    warning: '1 of 2 processes of this server have ended, and are started again',
  })
  nth(3).serve()
  expect((await asked('state')).state).toEqual({})
})

it('ends one that has not begun within a minute, and starts another', async () => {
  void processes.start()
  nth(1).serve()
  await pass(55_000, nth(2))
  expect(nth(2).hasEnded).toBe(false)
  await pass(6_000, nth(2))
  expect(nth(2).hasEnded).toBe(true)
  expect(started).toHaveLength(3)
})

it('says why the Redis of all does not run', async () => {
  await bothServe()
  trouble = 'Redis crashes again and again'
  expect((await asked('state')).state?.trouble).toBe(trouble)
})

it('has all drain at once, and kills the one that does not', async () => {
  await bothServe()
  nth(2).obeys = false
  const stopped = processes.stop()
  await vi.advanceTimersByTimeAsync(1)
  expect(nth(1).hasEnded).toBe(true)
  expect(nth(2).told.at(-1)).toEqual({ kind: 'stop' })
  expect(nth(2).hasEnded).toBe(false)
  await vi.advanceTimersByTimeAsync(5_000)
  await stopped
  expect(nth(2).hasEnded).toBe(true)
  await vi.advanceTimersByTimeAsync(60_000)
  expect(started).toHaveLength(2)
})

it('has one end as soon as it serves that was still starting when it was told to', async () => {
  void processes.start()
  nth(1).serve()
  nth(2).obeys = false
  const stopped = processes.stop()
  await vi.advanceTimersByTimeAsync(1_000)
  nth(2).obeys = true
  nth(2).serve()
  expect(nth(2).hasEnded).toBe(true)
  await stopped
})

it('keeps of one that has ended what counts, by its labels, and no state', () => {
  const bucket = (le: string, value: number) => ({ value, labels: { le }, metricName: 'seconds_bucket' })
  const seconds = (low: number, high: number): MetricJson => ({
    name: 'seconds',
    help: '',
    type: 'histogram',
    aggregator: 'sum',
    values: [bucket('1', low), bucket('+Inf', high)],
  })
  const kept = keepCounts([seconds(1, 2), ...countsOf(5).slice(0, 1)], [seconds(10, 20), ...countsOf(1)])
  expect(kept.map(({ name }) => name)).toEqual(['seconds', 'elections'])
  expect(kept[0]?.values).toEqual([bucket('1', 11), bucket('+Inf', 22)])
  expect(kept[1]?.values.map(({ value }) => value)).toEqual([6])
})
