import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { quickFetch } from '../../src/cli/quick-fetch.ts'
import { type ClientOptions, createClient, GoneError } from '../../src/index.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let server: TestServer
let rounds = 0

beforeAll(async () => {
  server = await startTestServer()
})

/** A round of this test alone. */
function newRound(): [system: string, round: string] {
  return ['client', `round-${rounds++}`]
}

function newClient(options: Partial<ClientOptions> = {}) {
  return createClient({ url: server.url, ...options })
}

describe('an election', () => {
  it('is won by exactly one of many clients, and the others are told by whom', async () => {
    const round = newRound()
    const elections = await Promise.all(Array.from({ length: 20 }, () => newClient().elect(...round)))
    const [won, ...more] = elections.filter((election) => election.leads)
    expect(more).toEqual([])
    expect(won).toMatchObject({ state: 'led', leader: expect.stringMatching(/^127\.0\.0\.1:\d+$/) })
    for (const lost of elections.filter((election) => !election.leads)) {
      expect(lost).toEqual({ leads: false, leader: won?.leader, fence: won?.fence, state: 'led' })
    }
  })

  it('is won again by the client that has won it', async () => {
    const round = newRound()
    const client = newClient()
    const first = await client.elect(...round)
    expect(await client.elect(...round)).toEqual(first)
  })

  it('tells candidates apart by their token, not by their connection', async () => {
    const round = newRound()
    const client = newClient()
    expect(await client.elect(...round, { candidate: 'a' })).toMatchObject({ leads: true })
    expect(await client.elect(...round, { candidate: 'b' })).toMatchObject({ leads: false })
    expect(await newClient({ candidate: 'a' }).elect(...round)).toMatchObject({ leads: true })
  })

  it('passes to a loser that stands by when the lease ends, under a higher fence', async () => {
    const round = newRound()
    const first = await newClient().elect(...round, { lease: '1s' })
    const second = await newClient().elect(...round, { lease: 30_000, wait: '10s' })
    expect(second).toMatchObject({ leads: true })
    expect(second.fence).toBeGreaterThan(first.fence ?? Number.NaN)
  })

  it('ends for a loser that stands by when the round is completed', async () => {
    const round = newRound()
    const leader = newClient()
    await leader.elect(...round)
    const standby = newClient().elect(...round, { wait: 20_000 })
    await leader.complete(...round)
    expect(await standby).toMatchObject({ leads: false, state: 'completed' })
  })

  it('takes a deadline', async () => {
    const round = newRound()
    const client = newClient()
    await client.elect(...round, { deadline: '10m' })
    const { electedAt, deadlineAt } = (await client.elected(...round)) ?? {}
    expect(Date.parse(deadlineAt ?? '') - Date.parse(electedAt ?? '')).toBe(600_000)
  })
})

describe('a report', () => {
  it('is recorded once, and again for the client that made it', async () => {
    const round = newRound()
    const client = newClient()
    const { fence } = await client.elect(...round)
    const first = await client.complete(...round, { result: { rows: 42 } })
    expect(first).toMatchObject({
      kind: 'recorded',
      round: { state: 'completed', fence, completion: { outcome: 'completed', result: { rows: 42 } } },
    })
    expect(await client.complete(...round, { result: { rows: 42 } })).toEqual(first)
  })

  it('of another than the leader is refused, with the reason', async () => {
    const round = newRound()
    await newClient().elect(...round)
    const refused = { kind: 'refused', detail: expect.stringContaining('led by 127.0.0.1') }
    expect(await newClient().complete(...round)).toEqual(refused)
    expect(await newClient().fail(...round, { reason: 'no' })).toEqual(refused)
  })

  it('is proven by the fence too', async () => {
    const round = newRound()
    const { fence = 0 } = await newClient().elect(...round)
    expect(await newClient().complete(...round, { fence: fence + 1 })).toMatchObject({ kind: 'refused' })
    expect(await newClient().complete(...round, { fence })).toMatchObject({ kind: 'recorded' })
  })

  it('of failure says why', async () => {
    const round = newRound()
    const client = newClient()
    await client.elect(...round)
    expect(await client.fail(...round, { reason: 'disk full' })).toMatchObject({
      kind: 'recorded',
      round: { state: 'failed', completion: { outcome: 'failed', reason: 'disk full' } },
    })
    expect(await client.completed(...round)).toBeUndefined()
  })

  it('may come from anybody where the leader showed no token', async () => {
    const round = newRound()
    const anonymous = { candidate: null }
    expect(await newClient(anonymous).elect(...round)).toMatchObject({ leads: true })
    expect(await newClient(anonymous).elect(...round)).toMatchObject({ leads: false })
    expect(await newClient(anonymous).complete(...round)).toMatchObject({ kind: 'recorded' })
  })
})

describe('a renewal', () => {
  it('extends the lease of the leader', async () => {
    const round = newRound()
    const client = newClient()
    await client.elect(...round, { lease: '5s' })
    const renewal = await client.renew(...round, { lease: '1h' })
    expect(renewal).toMatchObject({ kind: 'renewed', round: { leaseMs: 3_600_000 } })
  })

  it('tells who should stop working that it should, and why', async () => {
    const round = newRound()
    const [leader, other] = [newClient(), newClient()]
    expect(await leader.renew(...round)).toMatchObject({ kind: 'notLed' })
    await leader.elect(...round, { lease: '5s' })
    expect(await other.renew(...round)).toMatchObject({ kind: 'superseded', detail: /under fence \d+/ })
    await leader.complete(...round)
    expect(await leader.renew(...round)).toMatchObject({ kind: 'finished' })
  })
})

describe('a question', () => {
  it('is answered with the round, or with nothing', async () => {
    const round = newRound()
    const client = newClient()
    for (const ask of [client.elected, client.completed, client.round]) {
      expect(await ask(...round)).toBeUndefined()
    }
    const { leader, fence } = await client.elect(...round)
    expect(await client.elected(...round)).toMatchObject({ state: 'led', leader, fence })
    expect(await client.completed(...round)).toBeUndefined()
    await client.complete(...round)
    for (const ask of [client.elected, client.completed, client.round]) {
      expect(await ask(...round)).toMatchObject({ state: 'completed', leader, fence })
    }
  })

  it('may wait for the end of the round', async () => {
    const round = newRound()
    const client = newClient()
    await client.elect(...round)
    const waiting = client.round(...round, { wait: '20s' })
    await client.complete(...round)
    expect(await waiting).toMatchObject({ state: 'completed' })
  })
})

describe('a name', () => {
  it.each(['__proto__', 'wait', '123', 'a:b', '*', '%2F', 'grün', '日本', '...', 'a?b#c&d'])(
    'may be %s',
    async (name) => {
      const client = newClient()
      await client.elect(name, name)
      expect(await client.round(name, name)).toMatchObject({ system: name, round: name })
    },
  )

  it.each(['', '.', '..', 'a/b', 'a b', '\ud800', 'a'.repeat(129)])('may not be %j', async (name) => {
    const code = 'INVALID_IDENTIFIER'
    await expect(newClient().elect('client', name)).rejects.toMatchObject({ name: 'GoneError', code })
    await expect(newClient().completed(name, 'round')).rejects.toMatchObject({ name: 'GoneError', code })
  })
})

describe('an error', () => {
  it('is a GoneError with the code and words of the server', async () => {
    const error = await newClient()
      .elect('client', 'round', { lease: 'long' })
      .catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(GoneError)
    expect(error).toMatchObject({ code: 'INVALID_PARAMETER', status: 400, retryable: false })
    expect(String(error)).toContain('lease: expected a duration')
  })

  it('of a newer server keeps its words, and whether to retry', async () => {
    const problem = { title: '', status: 400, detail: 'no', code: 'NEW_CODE', retryable: false }
    const client = newClient({ fetch: async () => Response.json(problem, { status: 400 }) })
    await expect(client.elect(...newRound())).rejects.toMatchObject({
      code: 'BAD_REQUEST',
      message: 'NEW_CODE: no',
    })
  })

  it.each(['ftp://host', 'host:8080', '', 'http://user:secret@host'])(
    'says at once that %j is no address of a server',
    (url) => {
      expect(() => createClient({ url })).toThrow(expect.objectContaining({ code: 'CONFIG' }))
      expect(() => createClient({ url })).not.toThrow('secret')
    },
  )

  it.each(['', 'a,b', 'a b', 'ü', 'a'.repeat(129)])('says at once that %j is no token', async (candidate) => {
    expect(() => newClient({ candidate })).toThrow(expect.objectContaining({ code: 'INVALID_PARAMETER' }))
    await expect(newClient().elect(...newRound(), { candidate })).rejects.toMatchObject({
      code: 'INVALID_PARAMETER',
    })
  })
})

describe('a server that does not answer', () => {
  it('is reported as unreachable, with the reason, when the time is over', async () => {
    const client = createClient({ url: await deadUrl(), timeoutMs: 700 })
    const startMs = performance.now()
    await expect(client.elect('a', 'b')).rejects.toMatchObject({
      code: 'SERVER_UNREACHABLE',
      message: expect.stringContaining('connection refused'),
    })
    expect(performance.now() - startMs).toBeLessThan(8_000)
  })

  it('is asked again, by the same candidate, when an answer was lost', async () => {
    const round = newRound()
    const lossy = lossyFetch(2)
    const election = await newClient({ fetch: lossy.fetch }).elect(...round)
    expect(election).toMatchObject({ leads: true })
    expect(lossy.calls).toBe(3)
    expect(await newClient().elect(...round)).toMatchObject({ leads: false, fence: election.fence })
  })

  it('is told a report again whose answer was lost, and records it once', async () => {
    const round = newRound()
    await newClient({ candidate: 'me' }).elect(...round)
    const lossy = lossyFetch(1)
    const client = newClient({ candidate: 'me', fetch: lossy.fetch })
    expect(await client.complete(...round)).toMatchObject({ kind: 'recorded' })
    expect(lossy.calls).toBe(2)
  })

  it('is not asked again without a token: that would be another candidate', async () => {
    const lossy = lossyFetch(1)
    const client = newClient({ candidate: null, fetch: lossy.fetch })
    await expect(client.elect(...newRound())).rejects.toMatchObject({ code: 'SERVER_UNREACHABLE' })
    expect(lossy.calls).toBe(1)
  })

  it('is asked again without a token where it cannot have heard', async () => {
    const dead = await deadUrl()
    let calls = 0
    const client = newClient({
      candidate: null,
      fetch: (input, init) => fetch(calls++ === 0 ? dead : input, init),
    })
    expect(await client.elect(...newRound())).toMatchObject({ leads: true })
    expect(calls).toBe(2)
  })

  it.each([
    ['STORE_UNAVAILABLE', 500, 1],
    ['INTERNAL', 500, 1],
    ['OF_A_NEWER_SERVER', 500, 1],
    ['RATE_LIMITED', 429, 2],
    ['SHUTTING_DOWN', 503, 2],
    ['GATE_UNREACHABLE', 500, 2],
  ])(
    'that answers %s is asked again only where it has surely done nothing, or it does not matter',
    async (code, status, calls) => {
      const problem = { title: '', status, detail: 'later', code, retryable: true }
      let asked = 0
      const answerOnce: typeof fetch = async (input, init) =>
        asked++ === 0 ? Response.json(problem, { status }) : fetch(input, init)
      const client = newClient({ candidate: null, fetch: answerOnce })
      const target = { of: 'worker', name: 'none' } as const
      const known = await Promise.allSettled([client.fleet.config.rollBack(target)])
      expect([asked, known[0]?.status]).toEqual([calls, 'rejected'])
      for (const ask of [
        () => client.elect(...newRound()),
        () => client.fleet.pools.rollBack('none'),
        () => client.fleet.order({ do: 'restart', select: 'all', count: 1 }),
        () => client.fleet.mark('began'),
      ]) {
        asked = 0
        await ask().catch(() => undefined)
        expect([ask.toString(), asked]).toEqual([ask.toString(), calls])
      }
      asked = 0
      expect(await newClient({ fetch: answerOnce }).elect(...newRound())).toMatchObject({ leads: true })
      expect(asked).toBe(2)
    },
  )

  it('is given up on in silence, and asked again', async () => {
    let calls = 0
    const client = newClient({
      timeoutMs: 20_000,
      fetch: (input, init) => (calls++ === 0 ? silence(init?.signal) : fetch(input, init)),
    })
    expect(await client.elect(...newRound())).toMatchObject({ leads: true })
  })

  it('is waited for through an outage of Redis', async () => {
    const { url, redis, stop } = await startTestServer()
    onTestFinished(stop)
    await redis.kill()
    const election = createClient({ url }).elect('client', 'outage')
    // The first attempt has to fail before Redis is back.
    await new Promise((resolve) => setTimeout(resolve, 500))
    await redis.restart()
    expect(await election).toMatchObject({ leads: true })
  })

  it('is asked again after the time that it names', async () => {
    const problem = { title: '', status: 503, detail: 'later', code: 'SHUTTING_DOWN', retryable: true }
    const calledMs: number[] = []
    const client = newClient({
      fetch: async (input, init) => {
        calledMs.push(performance.now())
        if (calledMs.length > 1) return fetch(input, init)
        return Response.json(problem, { status: 503, headers: { 'retry-after': '1' } })
      },
    })
    expect(await client.elect(...newRound())).toMatchObject({ leads: true })
    expect((calledMs[1] ?? 0) - (calledMs[0] ?? 0)).toBeGreaterThan(990)
  })

  it('is not waited for when it names a time after the end', async () => {
    const problem = { title: '', status: 503, detail: 'later', code: 'SHUTTING_DOWN', retryable: true }
    const startMs = performance.now()
    const client = newClient({
      timeoutMs: 20_000,
      fetch: async () => Response.json(problem, { status: 503, headers: { 'retry-after': '60' } }),
    })
    await expect(client.elect(...newRound())).rejects.toMatchObject({ code: 'SHUTTING_DOWN' })
    expect(performance.now() - startMs).toBeLessThan(15_000)
  })

  it('is asked to wait only for what is left of the wait', async () => {
    const waits: number[] = []
    const client = newClient({
      fetch: async (input, init) => {
        waits.push(Number.parseInt(new URL(String(input)).searchParams.get('wait') ?? '', 10))
        if (waits.length === 1) throw new TypeError('the connection broke')
        return fetch(input, init)
      },
    })
    const round = newRound()
    await newClient().elect(...round)
    expect(await client.elect(...round, { wait: 1_000 })).toMatchObject({ leads: false })
    expect(waits[0]).toBe(1_000)
    expect(waits[1]).toBeLessThan(960)
  })

  it.each([
    ['a page', 200, '<html>welcome</html>'],
    ['some JSON', 202, '{"hello":"world"}'],
    ['nothing', 200, ''],
    ['a login', 401, 'who are you?'],
    ['a proxy alone', 502, '<html>bad gateway</html>'],
  ])('is not mistaken for one: %s is neither a win nor a report', async (_, status, body) => {
    const client = newClient({ timeoutMs: 300, fetch: async () => new Response(body, { status }) })
    const error = { code: 'SERVER_UNREACHABLE', message: expect.stringContaining(`answered ${status}`) }
    await expect(client.elect(...newRound())).rejects.toMatchObject(error)
    await expect(client.complete(...newRound())).rejects.toMatchObject(error)
    await expect(client.renew(...newRound())).rejects.toMatchObject(error)
    await expect(client.round(...newRound())).rejects.toMatchObject(error)
  })
})

describe('a signal', () => {
  it('ends a call that waits, with its reason', async () => {
    const round = newRound()
    await newClient().elect(...round)
    const abort = new AbortController()
    const standby = newClient().elect(...round, { wait: '30s', signal: abort.signal })
    abort.abort(new Error('not needed any more'))
    await expect(standby).rejects.toThrow('not needed any more')
  })

  it('ends a call between two attempts', async () => {
    const abort = new AbortController()
    const client = createClient({ url: await deadUrl(), timeoutMs: 30_000 })
    const election = client.elect('a', 'b', { signal: abort.signal })
    setTimeout(() => abort.abort(new Error('stop')), 300)
    await expect(election).rejects.toThrow('stop')
  })

  it('that has been given already lets no request out', async () => {
    let calls = 0
    const client = newClient({
      fetch: async () => {
        calls += 1
        return new Response()
      },
    })
    await expect(client.elect(...newRound(), { signal: AbortSignal.abort() })).rejects.toThrow()
    expect(calls).toBe(0)
  })
})

describe('a reply without an end', () => {
  it.each([
    ['fetch', undefined],
    ['the fetch of commands', quickFetch],
  ])(
    'is read to a bound, and asked for once, with %s',
    async (_, quick) => {
      let asked = 0
      let isGone = false
      const endless = createServer((_, reply) => {
        asked += 1
        reply.on('close', () => {
          isGone = true
        })
        const fill = () => {
          while (!reply.destroyed && reply.write(Buffer.alloc(1 << 20, 'x')));
        }
        reply.on('drain', fill)
        fill()
      })
      await new Promise<void>((resolve) => endless.listen(0, '127.0.0.1', resolve))
      onTestFinished(() => void endless.close())
      const { port } = endless.address() as AddressInfo
      const client = createClient({
        url: `http://127.0.0.1:${port}`,
        timeoutMs: 60_000,
        ...(quick && { fetch: quick }),
      })
      await expect(client.round(...newRound())).rejects.toMatchObject({
        code: 'SERVER_UNREACHABLE',
        message: expect.stringContaining('its answer is larger than 32 MiB'),
      })
      expect(asked).toBe(1)
      await expect.poll(() => isGone, { timeout: 30_000 }).toBe(true)
    },
    90_000,
  )
})

describe('the package', () => {
  it('imports nothing but its own files and croner, so that it runs in browsers', () => {
    const seen = new Set<string>()
    const outside: string[] = []
    const follow = (file: URL) => {
      if (seen.has(file.href)) return
      seen.add(file.href)
      const source = readFileSync(file, 'utf8')
      for (const [statement, target = ''] of source.matchAll(/^(?:import|export)[^'"]*?from '([^']+)'/gm)) {
        if (/^(import|export) type /.test(statement)) continue
        if (target.startsWith('.')) follow(new URL(target, file))
        else outside.push(target)
      }
      expect(source).not.toMatch(/\b(process|Buffer|require)\b[.(]/)
    }
    follow(new URL('../../src/index.ts', import.meta.url))
    // A module without imports of its own, and without anything of Node's.
    expect([...new Set(outside)]).toEqual(['croner'])
    const paths = [...seen].map((href) => href.slice(href.indexOf('/src/')))
    expect(paths).toContain('/src/client/client.ts')
    expect(
      paths.filter((path) => !/^\/src\/(client\/|core\/|(errors|waiting)\.ts|index\.ts)/.test(path)),
    ).toEqual([])
  })
})

/** A fetch that sends the first requests and loses their answers. */
function lossyFetch(losses: number) {
  const lossy = {
    calls: 0,
    fetch: async (input: Parameters<typeof fetch>[0], init?: RequestInit) => {
      const response = await fetch(input, init)
      if (lossy.calls++ < losses) throw new TypeError('the connection broke')
      return response
    },
  }
  return lossy
}

function silence(signal: AbortSignal | null | undefined): Promise<never> {
  return new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)))
}

/** An address where a server has been and is no more. */
async function deadUrl(): Promise<string> {
  const { url, stop } = await startTestServer({ redis: server.redis })
  await stop()
  return url
}
