import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { createClient, type GoneClient } from '../../src/index.ts'
import { makeKey } from '../support/keys.ts'
import { startRedis } from '../support/redis.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { ROOT } from '../support/snippets.ts'
import { startTrouble } from '../support/trouble.ts'

export const run = promisify(execFile)
export const FILES = join(ROOT, 'examples/clients')

export interface Language {
  readonly name: string
  /** Compiles into the folder, where it has to be; the words that start it. */
  readonly prepare: (folder: string) => Promise<readonly string[]>
  /** An exit is thrown, so that the client sees it. */
  readonly throwsAtExit?: boolean
}

/** What a client in whatever language has to do, against a real server. */
export function tryClient({ name, prepare, throwsAtExit }: Language): void {
  let server: TestServer
  let client: GoneClient
  let folder: string
  let words: readonly string[]

  beforeAll(async () => {
    server = await startTestServer()
    client = createClient({ url: server.url })
    folder = await mkdtemp(join(tmpdir(), 'gone-clients-'))
    words = await prepare(folder)
  })

  afterAll(async () => {
    await server.stop()
    await rm(folder, { recursive: true, force: true })
  })

  describe(`the client in ${name}`, () => {
    const start = (args: readonly string[], env: Record<string, string> = {}): ChildProcess => {
      const [program = '', ...rest] = words
      const child = spawn(program, [...rest, ...args], {
        env: { PATH: process.env.PATH, HOME: folder, LC_ALL: 'C.UTF-8', GONE_URL: server.url, ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      onTestFinished(() => void child.kill('SIGKILL'))
      return child
    }

    /** What it says, and its exit code. */
    const says = async (args: readonly string[], env?: Record<string, string>) => {
      const child = start(args, env)
      let [stdout, stderr] = ['', '']
      child.stdout?.on('data', (chunk) => {
        stdout += chunk
      })
      child.stderr?.on('data', (chunk) => {
        stderr += chunk
      })
      const [code] = await once(child, 'close')
      return { code, said: stdout.trim(), stderr }
    }

    it('elects, renews and completes, each as often as it likes', async () => {
      const round = [name, 'ä+b%20c']
      const first = await says(['elect', ...round, 'me', '30'])
      expect(first).toMatchObject({ code: 0, said: expect.stringMatching(/^leads \d+$/), stderr: '' })
      expect(await says(['elect', ...round, 'me', '30'])).toEqual(first)
      expect(await says(['elect', ...round, 'you', '30'])).toMatchObject({ code: 0, said: 'lost' })
      const fence = first.said.split(' ')[1] ?? ''
      expect(await says(['renew', ...round, fence])).toMatchObject({ code: 0, said: 'renewed' })
      expect(await says(['renew', ...round, '999999'])).toMatchObject({ code: 0, said: 'not renewed' })
      expect(await says(['complete', ...round, '999999', '1'])).toMatchObject({ said: 'refused' })
      const result = '{"rows":[1,-2.5,"ä\\n"],"none":null}'
      expect(await says(['complete', ...round, fence, result])).toMatchObject({ code: 0, said: 'recorded' })
      expect((await client.completed(name, 'ä+b%20c'))?.completion?.result).toEqual(JSON.parse(result))
    })

    it('runs work once, and keeps its lease meanwhile', async () => {
      // Longer than the lease: without renewals another would lead.
      const running = says(['once', name, 'long', '4', '6'])
      await expect.poll(async () => (await client.round(name, 'long'))?.state).toBe('led')
      await new Promise((resolve) => setTimeout(resolve, 4_500))
      expect((await client.elect(name, 'long', { lease: '1s' })).leads).toBe(false)
      expect(await running).toMatchObject({ code: 0, said: expect.stringMatching(/^under \d+\s+ran$/) })
      const ended = await client.round(name, 'long')
      expect(ended?.state).toBe('completed')
      // What the work of a round returns is nobody's result, false and 0 neither.
      expect(ended?.completion).not.toHaveProperty('result')
      expect(await says(['once', name, 'long', '4', '1'])).toMatchObject({ code: 0, said: 'another has it' })
    })

    it('reports whatever ended the work, in words that the server takes', async () => {
      const smileys = '😀'.repeat(1_001)
      const ends: [string, unknown][] = [
        ['fail:told to fail', expect.stringContaining('told to fail')],
        ['fail:', expect.stringMatching(/^.+$/)],
        [`fail:${smileys}`, smileys.slice(0, 500)],
        ['panic', expect.stringContaining('told to panic')],
      ]
      if (throwsAtExit) ends.push(['exit', expect.stringContaining('told to exit')])
      for (const [index, [told, reason]] of ends.entries()) {
        const round = `bad-${index}`
        expect((await says(['once', name, round, '5', told])).code).not.toBe(0)
        const { completion } = (await client.round(name, round)) ?? {}
        expect(completion).toMatchObject({ outcome: 'failed', reason: expect.anything() })
        expect(completion?.reason?.slice(0, 500)).toEqual(reason)
      }
    })

    it('tells a report that is not taken from a lead that is lost', async () => {
      const round = [name, 'inexact']
      const fence = (await says(['elect', ...round, 'me', '30'])).said.split(' ')[1] ?? ''
      // A number that a double does not keep, which the server says.
      const refused = await says(['complete', ...round, fence, '9007199254740993'])
      expect({ said: refused.said, isError: refused.code !== 0 }).toEqual({ said: '', isError: true })
      expect((await client.round(name, 'inexact'))?.state).toBe('led')
      expect(await says(['complete', ...round, fence, '1'])).toMatchObject({ said: 'recorded' })
    })

    it('reports nothing once another leads', async () => {
      const child = start(['once', name, 'taken', '2', '9'])
      await expect.poll(async () => (await client.round(name, 'taken'))?.state).toBe('led')
      child.kill('SIGSTOP')
      const taken = await client.elect(name, 'taken', { lease: '1m', wait: '20s' })
      expect(taken.leads).toBe(true)
      const closed = once(child, 'close')
      child.kill('SIGCONT')
      const [code] = await closed
      expect(code).not.toBe(0)
      expect(await client.round(name, 'taken')).toMatchObject({ state: 'led', fence: taken.fence })
    })

    it('counts the lease from the request that was answered', async () => {
      const proxy = await startTrouble(server.url, ({ verb, count }) => {
        if (verb !== 'elect' || count > 5) return 'pass'
        return count === 5 ? 'lose' : 'cut'
      })
      // The sixth, some five seconds after the first, which is more than a lease.
      const ran = await says(['once', name, 'tried-often', '4', '1'], { GONE_URL: proxy.url })
      expect(ran).toMatchObject({ code: 0, said: expect.stringMatching(/^under \d+\s+ran$/) })
      expect(proxy.asked.elect).toBe(6)
    })

    it('stops where a renewal is answered without an end', async () => {
      const proxy = await startTrouble(server.url, ({ verb }) => (verb === 'renew' ? 'trickle' : 'pass'))
      const ran = await says(['once', name, 'trickled', '3', '600'], { GONE_URL: proxy.url })
      expect({ isLost: ran.code !== 0, said: ran.said }).toMatchObject({
        isLost: true,
        said: expect.stringMatching(/^under \d+$/),
      })
      expect(await client.round(name, 'trickled')).not.toHaveProperty('completion')
    })

    it('asks again where an answer comes in drips without an end', async () => {
      const proxy = await startTrouble(server.url, ({ verb, count }) =>
        verb === 'take' && count === 1 ? 'trickle' : 'pass',
      )
      const worker = `dripped-${name}`
      start(['work', worker], { GONE_URL: proxy.url })
      await client.submit(name, 'dripped', { worker, data: 2 })
      expect((await client.wait(name, 'dripped', { timeout: '50s' }))?.completion?.result).toMatchObject({
        doubled: 4,
      })
    })

    it('goes on with other jobs after it has lost one', async () => {
      const superseded = { code: 'SUPERSEDED', detail: 'another has it', retryable: false }
      const proxy = await startTrouble(server.url, ({ verb, count }) =>
        verb === 'renew' && count === 1 ? { status: 409, body: JSON.stringify(superseded) } : 'pass',
      )
      const worker = `loser-${name}`
      start(['work', worker, '3', '2'], { GONE_URL: proxy.url })
      await client.submit(name, 'loser-1', { worker, data: 1 })
      await client.submit(name, 'loser-2', { worker, data: 2 })
      const [lost, other] = await Promise.all(
        ['loser-1', 'loser-2'].map((round) => client.wait(name, round, { timeout: '50s' })),
      )
      expect(other?.completion?.result).toMatchObject({ doubled: 4 })
      expect(lost).toMatchObject({ state: 'completed', job: { starts: 2 } })
    })

    it('goes on as a worker after it was refused, and does not hurry', async () => {
      const times: number[] = []
      const forbidden = { code: 'FORBIDDEN', detail: 'not with this key', retryable: false }
      const proxy = await startTrouble(server.url, ({ verb }) => {
        if (verb !== 'take' || times.length > 3) return 'pass'
        times.push(performance.now())
        return { status: 403, body: JSON.stringify(forbidden) }
      })
      const worker = `refused-${name}`
      start(['work', worker], { GONE_URL: proxy.url })
      await client.submit(name, 'refused', { worker, data: 2 })
      expect((await client.wait(name, 'refused', { timeout: '50s' }))?.completion?.result).toMatchObject({
        doubled: 4,
      })
      expect((times.at(-1) ?? 0) - (times[0] ?? 0)).toBeGreaterThan(1_000)
    })

    it('leaves out a result only where that is what is refused', async () => {
      const statuses = [403]
      const proxy = await startTrouble(server.url, ({ verb }) => {
        const status = verb === 'complete' ? statuses.pop() : undefined
        return status ? { status, body: '<html>no</html>' } : 'pass'
      })
      const worker = `unkept-${name}`
      start(['work', worker, '3', '0'], { GONE_URL: proxy.url })
      // The page of a proxy says nothing of the result: it is shown, and the job run again after its lease.
      await client.submit(name, 'unkept-1', { worker, data: 2 })
      const kept = await client.wait(name, 'unkept-1', { timeout: '50s' })
      expect(kept?.completion?.result).toMatchObject({ doubled: 4 })
      statuses.push(413)
      await client.submit(name, 'unkept-2', { worker, data: 2 })
      const unkept = await client.wait(name, 'unkept-2', { timeout: '50s' })
      expect(unkept?.state).toBe('completed')
      expect(unkept?.completion).not.toHaveProperty('result')
    })

    it('outlasts an outage, as a worker and as one that waits', async () => {
      const beganAt = performance.now()
      const overAt = beganAt + 24_000
      const proxy = await startTrouble(server.url, async ({ verb, count }) => {
        if (verb === 'take' && performance.now() < overAt) return 'cut'
        if (verb !== 'rounds' || count > 1) return 'pass'
        // A wait that fails after longer than what is not answered is asked again.
        await new Promise((resolve) => setTimeout(resolve, 21_000))
        return 'cut'
      })
      const worker = `patient-${name}`
      start(['work', worker], { GONE_URL: proxy.url })
      expect(await says(['submit', name, 'patient', worker, '3'], { GONE_URL: proxy.url })).toMatchObject({
        code: 0,
        said: expect.stringMatching(/^completed/),
      })
    })

    it('asks again what was not answered in HTTP, or not in TLS', async () => {
      for (const scheme of ['http', 'https']) {
        let connections = 0
        const garbling = createServer((socket) => {
          connections += 1
          socket.on('error', () => {})
          socket.end('what?\r\n\r\n')
        })
        await new Promise<void>((resolve) => garbling.listen(0, '127.0.0.1', resolve))
        onTestFinished(() => void garbling.close())
        const { port } = garbling.address() as AddressInfo
        const asking = start(['elect', name, 'garbled', 'me', '30'], {
          GONE_URL: `${scheme}://127.0.0.1:${port}`,
        })
        await expect.poll(() => connections).toBeGreaterThan(2)
        asking.kill('SIGKILL')
      }
    })

    it('submits rounds, runs them as a worker, and waits for their ends', async () => {
      const worker = `doubler-${name}`
      const working = start(['work', worker])
      const closed = once(working, 'close')
      expect(await says(['submit', name, 'job-1', worker, '21'])).toMatchObject({
        code: 0,
        said: expect.stringMatching(/^completed \{.*"?doubled"?.*42.*\}$/),
      })
      expect((await client.round(name, 'job-1'))?.completion?.result).toEqual({
        doubled: 42,
        fence: expect.any(Number),
      })
      expect(await says(['submit', name, 'job-2', worker, '[1]'])).toMatchObject({
        said: expect.stringMatching(/^failed/),
      })
      expect((await client.round(name, 'job-2'))?.completion?.reason).toContain('not a number, nor a text')
      // Twice this is more than the record keeps: it is done all the same, and not once more.
      await client.submit(name, 'job-3', { worker, data: 'x'.repeat(3_000) })
      const large = await client.wait(name, 'job-3', { timeout: '20s' })
      expect(large).toMatchObject({ state: 'completed', job: { starts: 1 } })
      expect(large?.completion).not.toHaveProperty('result')
      // Twice this is no number that JSON has: the attempt has failed, and says so.
      await client.submit(name, 'job-4', { worker, data: 1e308 })
      expect(await client.wait(name, 'job-4', { timeout: '20s' })).toMatchObject({
        state: 'failed',
        completion: { reason: expect.stringMatching(/json/i) },
        job: { starts: 1 },
      })
      working.kill('SIGTERM')
      await closed
      expect(working.signalCode).not.toBe('SIGKILL')
    })

    it('asks again where a proxy says that it is too early or too much', async () => {
      const statuses = [408, 429, 503]
      const proxy = await startTrouble(server.url, ({ count }) => {
        const status = statuses[count - 1]
        return status === undefined ? 'pass' : { status, body: '<html>later</html>' }
      })
      const election = await says(['elect', name, 'throttled', 'me', '30'], { GONE_URL: proxy.url })
      expect(election).toMatchObject({ code: 0, said: expect.stringMatching(/^leads \d+$/) })
      expect(proxy.asked.elect).toBe(4)
    })

    it('follows no redirect, and shows its key to nobody else', async () => {
      const elsewhere = await startTrouble(server.url, () => 'pass')
      for (const status of [302, 307]) {
        const proxy = await startTrouble(server.url, () => ({
          status,
          headers: { location: `${elsewhere.url}/api/v1/elect/${name}/moved` },
        }))
        const env = { GONE_URL: proxy.url, GONE_KEY: 'gone_secret' }
        const { code } = await says(['elect', name, 'moved', 'me', '30'], env)
        expect({ status, isRefused: code !== 0 }).toEqual({ status, isRefused: true })
      }
      expect(elsewhere.asked).toEqual({})
    })

    it('asks again until the server is there, and shows its key', async () => {
      const redis = await startRedis()
      onTestFinished(() => redis.stop())
      const { text: key } = await makeKey(redis)
      const later = await startTestServer({ redis })
      await later.stop()
      const election = says(['elect', name, 'later', 'me', '30'], { GONE_URL: later.url, GONE_KEY: key })
      await new Promise((resolve) => setTimeout(resolve, 1_000))
      const again = await startTestServer({ redis, env: { GONE_PORT: new URL(later.url).port } })
      onTestFinished(() => again.stop())
      expect(await election).toMatchObject({ code: 0, said: expect.stringMatching(/^leads \d+$/) })
    })
  })
}
