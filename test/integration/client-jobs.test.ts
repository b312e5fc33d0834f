import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import { afterAll, beforeAll, describe, expect, expectTypeOf, it } from 'vitest'
import { loadWorkers } from '../../src/app/worker-files.ts'
import { type RunningWorkers, startWorkers } from '../../src/app/workers.ts'
import { readConfig } from '../../src/config.ts'
import {
  type ClientOptions,
  createClient,
  defineWorker,
  type FinishedRound,
  GoneError,
  type Lead,
  type Submitted,
  type WorkerJob,
} from '../../src/index.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let server: TestServer
let workers: RunningWorkers
let folder: string
let rounds = 0

/** What it is given, told back; it fails where it is told to. */
const ECHO = `export default {
  options: { attempts: 1 },
  handler: async ({ data }, { fence, attempt }) => {
    if (data?.fail) throw new Error(data.fail)
    return { echoed: data, fence, attempt }
  },
}
`

beforeAll(async () => {
  server = await startTestServer()
  folder = await mkdtemp(join(tmpdir(), 'gone-workers-'))
  await writeFile(join(folder, 'echo.mjs'), ECHO)
  const config = readConfig({ REDIS_URL: server.redis.url, GONE_LOG_LEVEL: 'silent' })
  const log = pino({ level: 'silent' })
  workers = await startWorkers(config, (await loadWorkers(folder)).workers, { log, say: () => {} })
})

afterAll(async () => {
  await workers?.stop()
  await rm(folder, { recursive: true, force: true })
})

/** A round of this test alone. */
function newRound(): [system: string, round: string] {
  return ['jobs', `round-${rounds++}`]
}

function newClient(options: Partial<ClientOptions> = {}) {
  return createClient({ url: server.url, ...options })
}

describe('a submission', () => {
  it('makes one job of many, and a worker runs it', async () => {
    const round = newRound()
    const options = { worker: 'echo', data: { to: 'a@example.com' } }
    const all = await Promise.all(Array.from({ length: 10 }, () => newClient().submit(...round, options)))
    expect(all.filter(({ isFirst }) => isFirst)).toHaveLength(1)
    expect(all.filter(({ isConflict }) => isConflict)).toHaveLength(0)
    for (const submitted of all)
      expect(submitted.round).toMatchObject({ system: 'jobs', round: round[1], job: { worker: 'echo' } })

    const end = await newClient().wait(...round, { timeout: '20s' })
    expect(end).toMatchObject({
      state: 'completed',
      completion: { outcome: 'completed', result: { echoed: options.data, attempt: 1, fence: end?.fence } },
    })
  })

  it('keeps the first data, and says that other data came', async () => {
    const round = newRound()
    const client = newClient()
    const first = await client.submit(...round, { worker: 'echo', data: 1, delay: '1h' })
    expect(first).toMatchObject({ isFirst: true, isConflict: false, round: { state: 'submitted' } })
    const second = await client.submit(...round, { worker: 'echo', data: 2, delay: '1h' })
    expect(second).toMatchObject({ isFirst: false, isConflict: true })
    const third = await client.submit(...round, { worker: 'echo', data: 1, delay: '1h' })
    expect(third).toMatchObject({ isFirst: false, isConflict: false })
  })

  it('takes all terms, durations also as numbers and times also as dates', async () => {
    const submitted = await newClient().submit(...newRound(), {
      worker: 'echo',
      data: null,
      attempts: 3,
      backoff: { type: 'fixed', delay: 500 },
      timeout: 5_000,
      at: new Date(Date.now() + 3_600_000),
      priority: 7,
      deadline: '2h',
      ifExecutorDies: 'fail',
    })
    expect(submitted).toMatchObject({ isFirst: true, round: { state: 'submitted', job: { starts: 0 } } })
  })

  it('goes to the worker with the name of the system', async () => {
    const client = newClient()
    const [, round] = newRound()
    await client.submit('echo', round, { data: 'to my own' })
    expect(await client.wait('echo', round, { timeout: '20s' })).toMatchObject({ state: 'completed' })
  })

  it('needs no terms', async () => {
    const { round } = await newClient().submit(...newRound())
    expect(round).toMatchObject({ state: 'submitted', job: { worker: 'jobs' } })
  })

  it('is asked again when its answer is lost', async () => {
    let lost = 0
    const client = newClient({
      fetch: async (url, init) => {
        const response = await fetch(url, init)
        if (lost++ === 0) throw new TypeError('fetch failed')
        return response
      },
    })
    const { isFirst, round } = await client.submit(...newRound(), { worker: 'echo', delay: '1h' })
    expect({ lost, isFirst, state: round.state }).toEqual({ lost: 2, isFirst: false, state: 'submitted' })
  })

  it('that the server does not understand is an error that names the member', async () => {
    const submitted = newClient().submit(...newRound(), { attempts: 0 })
    await expect(submitted).rejects.toMatchObject({
      code: 'INVALID_BODY',
      message: expect.stringMatching(/^attempts: /),
    })
    const never = newClient().submit(...newRound(), { at: new Date(Number.NaN) })
    await expect(never).rejects.toMatchObject({
      code: 'INVALID_PARAMETER',
      message: expect.stringMatching(/^at: /),
    })
  })

  it.each([
    [{ rate: Number.NaN }, /^data\.rate: NaN cannot be written as JSON/],
    [[0, Number.POSITIVE_INFINITY], /^data\[1\]: Infinity cannot be written as JSON/],
    [{ id: 9_007_199_254_740_993n }, /^data\.id: the BigInt 9007199254740993 cannot be written as JSON/],
  ])('of what JSON has no number for is refused: %#', async (data, message) => {
    const round = newRound()
    const submitted = newClient().submit(...round, { data })
    await expect(submitted).rejects.toMatchObject({
      code: 'INVALID_BODY',
      message: expect.stringMatching(message),
    })
    expect(await newClient().round(...round)).toBeUndefined()
  })

  it('of a round that is led or finished is not run', async () => {
    const round = newRound()
    const client = newClient()
    await client.elect(...round)
    expect(await client.submit(...round, { worker: 'echo' })).toMatchObject({
      isFirst: false,
      round: { state: 'led' },
    })
    await client.complete(...round)
    expect(await client.submit(...round, { worker: 'echo' })).toMatchObject({
      isFirst: false,
      round: { state: 'completed' },
    })
  })

  it('is typed by its worker', () => {
    const mailer = defineWorker({}, async (job: WorkerJob<{ to: string }>) => ({ sent: job.data.to }))
    const idle = defineWorker({}, () => 42)
    const bare = (job: WorkerJob<number>) => job.data > 1
    const use = async (client: ReturnType<typeof newClient>) => {
      await client.submit<typeof mailer>('s', 'r', { worker: 'mailer', data: { to: 'a' } })
      await client.submit<typeof idle>('s', 'r')
      await client.submit<typeof bare>('s', 'r', { data: 2 })
      // @ts-expect-error its data is missing
      await client.submit<typeof mailer>('s', 'r', { worker: 'mailer' })
      // @ts-expect-error its data is another
      await client.submit<typeof mailer>('s', 'r', { data: { from: 'a' } })
      expectTypeOf(await client.wait<typeof mailer>('s', 'r')).toEqualTypeOf<
        FinishedRound<{ sent: string }> | undefined
      >()
      expectTypeOf((await client.wait<typeof idle>('s', 'r'))?.completion.result).toEqualTypeOf<
        number | undefined
      >()
      expectTypeOf((await client.wait<typeof bare>('s', 'r'))?.completion.result).toEqualTypeOf<
        boolean | undefined
      >()
      expectTypeOf(await client.submit('s', 'r', { data: 'anything' })).toEqualTypeOf<Submitted>()
    }
    expect(use).toBeTypeOf('function')
  })
})

describe('waiting for the end', () => {
  it('tells a failure with its reason', async () => {
    const round = newRound()
    const client = newClient()
    await client.submit(...round, { worker: 'echo', data: { fail: 'no such address' } })
    expect(await client.wait(...round, { timeout: '20s' })).toMatchObject({
      state: 'failed',
      completion: { outcome: 'failed', reason: 'no such address' },
    })
  })

  it('ends undefined when the time is up, whether somebody leads, nobody has begun or nobody has submitted', async () => {
    const client = newClient()
    const [led, submitted, unknown] = [newRound(), newRound(), newRound()]
    await client.elect(...led)
    await client.submit(...submitted, { worker: 'echo', delay: '1h' })
    const waits = [led, submitted, unknown].map((round) => client.wait(...round, { timeout: '500ms' }))
    expect(await Promise.all(waits)).toEqual([undefined, undefined, undefined])
    expect(await client.wait(...led, { timeout: 0 })).toBeUndefined()
    expect(await client.round(...submitted, { wait: '100ms' })).toMatchObject({ state: 'submitted' })
  })

  it('asks again when the server answers before the end', async () => {
    const round = newRound()
    let asked = 0
    const client = newClient({
      // A server, or a proxy before it, that does not wait for long.
      fetch: (url, init) => {
        asked += 1
        return fetch(url.replace(/wait=\d+ms/, 'wait=100ms'), init)
      },
    })
    const waiting = client.wait(...round, { timeout: '20s' })
    setTimeout(() => void newClient().complete(...round), 1_500)
    expect(await waiting).toMatchObject({ state: 'completed' })
    expect(asked).toBeGreaterThan(1)
    expect(asked).toBeLessThan(6)
  })

  it('ends with its signal', async () => {
    const stop = new AbortController()
    const waiting = newClient().wait(...newRound(), { timeout: '20s', signal: stop.signal })
    stop.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
  })
})

describe('once', () => {
  it('runs one of many and keeps its result', async () => {
    const round = newRound()
    let runs = 0
    const work = async ({ fence }: Lead) => {
      runs += 1
      await new Promise((resolve) => setTimeout(resolve, 50))
      return { rows: 42, fence }
    }
    // Some share a client: also then each call is a candidate of its own.
    const shared = newClient()
    const clients = Array.from({ length: 20 }, (_, index) => (index % 2 ? shared : newClient()))
    const ends = await Promise.all(clients.map((client) => client.once(...round, work)))
    expect(runs).toBe(1)
    const [ran, ...more] = ends.filter((end) => end.kind === 'ran')
    expect(more).toEqual([])
    expect(ran).toEqual({ kind: 'ran', result: { rows: 42, fence: ran?.fence }, fence: ran?.fence })
    for (const end of ends.filter(({ kind }) => kind === 'lost'))
      expect(end).toMatchObject({ kind: 'lost', leader: expect.stringMatching(/^127/) })
    expect(await shared.completed(...round)).toMatchObject({ completion: { result: { rows: 42 } } })
    expect(await shared.once(...round, work)).toMatchObject({ kind: 'lost', state: 'completed' })
  })

  it('reports what the work threw, and throws it', async () => {
    const round = newRound()
    const client = newClient()
    const ended = client.once(...round, () => {
      throw new Error('disk full')
    })
    await expect(ended).rejects.toThrow('disk full')
    expect(await client.round(...round)).toMatchObject({
      state: 'failed',
      completion: { reason: 'disk full' },
    })
    expect(await client.once(...round, () => 1)).toMatchObject({ kind: 'lost', state: 'failed' })
  })

  it.each([
    ['larger than can be kept', 'x'.repeat(5_000)],
    ['not JSON', 12n],
    ['too deep', JSON.parse('['.repeat(100) + ']'.repeat(100)) as unknown],
    ['nothing', undefined],
  ])('completes without a result that is %s', async (_, result) => {
    const round = newRound()
    const client = newClient()
    expect(await client.once(...round, () => result)).toMatchObject({ kind: 'ran', result })
    const { completion } = (await client.completed(...round)) ?? {}
    expect(completion).toMatchObject({ outcome: 'completed' })
    expect(completion).not.toHaveProperty('result')
  })

  it('does not run again for a token whose round is finished, and goes on with one that is not', async () => {
    const [first, second] = [newRound(), newRound()]
    const client = newClient()
    await client.elect(...first, { candidate: 'pod-1', lease: '30s' })
    expect(await client.once(...first, () => 'on', { candidate: 'pod-1' })).toMatchObject({ kind: 'ran' })
    expect(await client.once(...first, () => 'on', { candidate: 'pod-1' })).toMatchObject({
      kind: 'lost',
      state: 'completed',
    })
    await client.elect(...second)
    expect(await client.once(...second, () => 1)).toMatchObject({ kind: 'lost', state: 'led' })
  })

  it('renews for as long as the work takes', async () => {
    const round = newRound()
    const work = () => new Promise<string>((resolve) => setTimeout(resolve, 5_000, 'done'))
    const ran = newClient().once(...round, work, { lease: '2s' })
    await expect.poll(() => newClient().elected(...round)).toBeDefined()
    const lost = await newClient().elect(...round, { lease: '1s', wait: '10s' })
    expect(lost).toMatchObject({ leads: false, state: 'completed' })
    expect(await ran).toMatchObject({ kind: 'ran', result: 'done' })
  })

  it('stands by: runs when the leader falls silent, under a lease that begins with the lead', async () => {
    const round = newRound()
    const dead = await newClient().elect(...round, { lease: '2s' })
    let isAborted = false
    const end = await newClient().once(
      ...round,
      async ({ signal }) => {
        await new Promise((resolve) => setTimeout(resolve, 3_000))
        isAborted = signal.aborted
      },
      { lease: '2s', wait: '20s' },
    )
    expect(end).toMatchObject({ kind: 'ran' })
    expect(isAborted).toBe(false)
    expect(end.kind === 'ran' && end.fence).toBeGreaterThan(dead.fence ?? Number.NaN)
  })

  it('stands by until the round is finished, or the time is up', async () => {
    const [finished, open] = [newRound(), newRound()]
    const leader = newClient()
    await leader.elect(...finished)
    await leader.elect(...open)
    const never = () => expect.fail('ran')
    const standing = newClient().once(...finished, never, { wait: '20s' })
    const bored = newClient().once(...open, never, { wait: '300ms' })
    await leader.complete(...finished)
    expect(await standing).toMatchObject({ kind: 'lost', state: 'completed' })
    expect(await bored).toMatchObject({ kind: 'lost', state: 'led' })
  })

  it('stops before its lease can have run out when nobody answers, and reports nothing', async () => {
    const round = newRound()
    const client = newClient({
      fetch: (url, init) =>
        url.includes('/renew/') ? Promise.reject(new TypeError('cut off')) : fetch(url, init),
    })
    let startMs = 0
    let tookMs = 0
    const ended = client.once(
      ...round,
      async ({ signal }) => {
        startMs = performance.now()
        await aborted(signal)
        tookMs = performance.now() - startMs
        return 'too late'
      },
      { lease: '4s' },
    )
    await expect(ended).rejects.toMatchObject({ code: 'LEASE_LOST' })
    expect(tookMs).toBeGreaterThan(2_000)
    expect(tookMs).toBeLessThan(4_000)
    expect(await newClient().round(...round)).not.toHaveProperty('completion')
  })

  it('stops when it was superseded meanwhile', async () => {
    const round = newRound()
    const other = newClient()
    // Its renewals do not arrive, and its clock does not show it: it takes the answers of another round for its own.
    const client = newClient({
      fetch: async (url, init) => {
        if (!url.includes('/renew/') || takenOver) return fetch(url, init)
        return new Response(JSON.stringify({ system: 'jobs', round: round[1], state: 'led' }))
      },
    })
    let takenOver = false
    const ended = client.once(...round, ({ signal }) => aborted(signal), { lease: '1s' })
    await expect.poll(() => other.elected(...round)).toBeDefined()
    const next = await other.elect(...round, { wait: '10s', lease: '30s' })
    expect(next.leads).toBe(true)
    takenOver = true
    const error = await ended.catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(GoneError)
    expect(error).toMatchObject({ code: 'LEASE_LOST', message: expect.stringContaining('led by') })
    expect(await other.round(...round)).toMatchObject({ state: 'led', fence: next.fence })
  })

  it('is refused to report the work that another has taken over', async () => {
    const round = newRound()
    const other = newClient()
    const late = newClient({
      fetch: (url, init) =>
        url.includes('/renew/')
          ? Promise.resolve(new Response(JSON.stringify({ system: 'jobs', round: 'r', state: 'led' })))
          : fetch(url, init),
    })
    const work = async () => {
      expect(await other.elect(...round, { wait: '10s', lease: '30s' })).toMatchObject({ leads: true })
    }
    await expect(late.once(...round, work, { lease: '1s' })).rejects.toMatchObject({ code: 'LEASE_LOST' })
    expect(await other.round(...round)).toMatchObject({ state: 'led' })
  })

  it("passes the caller's signal on, and reports what came of it", async () => {
    const round = newRound()
    const stop = new AbortController()
    const client = newClient()
    const ended = client.once(
      ...round,
      async ({ signal }) => {
        stop.abort(new Error('told to stop'))
        await aborted(signal)
        throw signal.reason
      },
      { signal: stop.signal },
    )
    await expect(ended).rejects.toThrow('told to stop')
    expect(await client.round(...round)).toMatchObject({
      state: 'failed',
      completion: { reason: 'told to stop' },
    })
    const next = client.once(...newRound(), () => 1, { signal: stop.signal })
    await expect(next).rejects.toThrow('told to stop')
  })
})

/** What docs/http.md says to who serves a queue in another language: it leads its round over HTTP. */
describe('a submitted round that is led over HTTP', () => {
  it('has its fence and its one completion, and no other worker runs it', async () => {
    const round = newRound()
    const client = newClient({ candidate: 'python-1' })
    await client.submit(...round, { worker: 'python', data: { n: 1 } })
    const { leads, fence } = await client.elect(...round, { lease: '30s' })
    expect({ leads, fence }).toEqual({ leads: true, fence: expect.any(Number) })
    expect(await newClient().elect(...round, { lease: '30s' })).toMatchObject({ leads: false, state: 'led' })
    expect(await client.complete(...round, { result: 2 })).toMatchObject({ kind: 'recorded' })
    expect(await client.wait(...round)).toMatchObject({ state: 'completed', job: { worker: 'python' } })
    expect(await client.elect(...round)).toMatchObject({ state: 'completed' })
  })

  it('that nobody led is completed in one step, once', async () => {
    const round = newRound()
    const worker = newClient()
    await worker.submit(...round, { worker: 'python' })
    expect(await worker.complete(...round, { result: 2 })).toMatchObject({ kind: 'recorded' })
    expect(await worker.wait(...round)).toMatchObject({ completion: { result: 2 } })
    expect(await newClient().complete(...round)).toMatchObject({ kind: 'refused' })
  })

  it('passes to the next start of its job when the first has died, under a higher fence', async () => {
    const round = newRound()
    await newClient().submit(...round, { worker: 'python' })
    const first = await newClient().elect(...round, { lease: '1s' })
    const second = await newClient().elect(...round, { lease: '30s', wait: '15s' })
    expect(second.leads).toBe(true)
    expect(second.fence).toBeGreaterThan(first.fence ?? Number.NaN)
  })
})

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve())
  })
}
