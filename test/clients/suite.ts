import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { createClient, type GoneClient } from '../../src/index.ts'
import { makeKey } from '../support/keys.ts'
import { startRedis } from '../support/redis.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { ROOT } from '../support/snippets.ts'

export const run = promisify(execFile)
export const FILES = join(ROOT, 'examples/clients')

export interface Language {
  readonly name: string
  /** Compiles into the folder, where it has to be; the words that start it. */
  readonly prepare: (folder: string) => Promise<readonly string[]>
}

/** What a client in whatever language has to do, against a real server. */
export function tryClient({ name, prepare }: Language): void {
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

    it('runs work once, keeps its lease meanwhile, and reports its failure', async () => {
      // Longer than the lease: without renewals another would lead.
      const running = says(['once', name, 'long', '4', '6'])
      await expect.poll(async () => (await client.round(name, 'long'))?.state).toBe('led')
      await new Promise((resolve) => setTimeout(resolve, 4_500))
      expect((await client.elect(name, 'long', { lease: '1s' })).leads).toBe(false)
      expect(await running).toMatchObject({ code: 0, said: expect.stringMatching(/^under \d+\s+ran$/) })
      expect((await client.round(name, 'long'))?.state).toBe('completed')
      expect(await says(['once', name, 'long', '4', '1'])).toMatchObject({ code: 0, said: 'another has it' })

      expect((await says(['once', name, 'bad', '5', 'fail'])).code).not.toBe(0)
      expect((await client.round(name, 'bad'))?.completion).toMatchObject({
        outcome: 'failed',
        reason: expect.stringContaining('told to fail'),
      })
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
      expect(await says(['submit', name, 'job-2', worker, '"x"'])).toMatchObject({
        said: expect.stringMatching(/^failed/),
      })
      expect((await client.round(name, 'job-2'))?.completion?.reason).toContain('not a number')
      working.kill('SIGTERM')
      await closed
      expect(working.signalCode).not.toBe('SIGKILL')
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
