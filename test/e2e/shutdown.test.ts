import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { Agent, type IncomingMessage, request } from 'node:http'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { spawnCli } from '../support/cli.ts'
import { endOf, type Run } from '../support/processes.ts'
import { program } from '../support/program.ts'
import { startRedis } from '../support/redis.ts'
import { expectProblem, send } from '../support/requests.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
/** The default of GONE_SHUTDOWN: a stop that takes longer is ended by force, and does not exit 0. */
const STOPPED_WITHIN_MS = 10_000

let folder: string
let closing: (() => unknown)[]

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gone-test-'))
  closing = [() => rm(folder, { recursive: true, force: true })]
})

afterEach(async () => {
  for (const close of closing.reverse()) await close()
})

interface Running {
  readonly ended: Promise<Run>
  signal(signal: NodeJS.Signals): void
  /** Resolves when the log says so. */
  says(message: string): Promise<Record<string, string>>
}

/** A `gone serve` of its own, with an embedded Redis in `folder` unless told otherwise. */
function serve(args: string[] = [], env: Record<string, string> = {}): Running {
  const settings = { GONE_DATA_DIR: join(folder, 'data'), GONE_PORT: '0', ...env }
  const child = spawnCli(['serve', ...args], settings, { cwd: ROOT })
  let stdout = ''
  let stderr = ''
  child.stdout?.on('data', (chunk) => {
    stdout += chunk
  })
  child.stderr?.on('data', (chunk) => {
    stderr += chunk
  })
  const ended = endOf(child)
  closing.push(async () => {
    child.kill('SIGKILL')
    await ended
  })
  return {
    ended,
    signal: (signal) => child.kill(signal),
    says: (message) =>
      vi.waitFor(
        () => {
          const line = stdout.split('\n').find((text) => text.includes(`"msg":"${message}"`))
          if (line === undefined) expect(stdout + stderr).toBe(`a log line: ${message}`)
          return JSON.parse(String(line)) as Record<string, string>
        },
        { timeout: 30_000, interval: 20 },
      ),
  }
}

async function start(args: string[] = [], env: Record<string, string> = {}) {
  const running = serve(args, env)
  const { url = '' } = await running.says('listening')
  return { ...running, url }
}

/** The process id of the embedded Redis. */
async function redisPid(): Promise<number> {
  const client = new Redis({ path: join(folder, 'data', 'redis.sock') })
  try {
    return Number(/process_id:(\d+)/.exec(await client.info('server'))?.[1])
  } finally {
    client.disconnect()
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

async function expectGone(pid: number): Promise<void> {
  await vi.waitFor(() => expect(isRunning(pid)).toBe(false), { timeout: 30_000, interval: 20 })
  expect(existsSync(join(folder, 'data', 'redis.sock'))).toBe(false)
}

/** A request that has arrived in part; `finish` sends the rest and returns the answer. */
async function beginRequest(
  url: string,
  path: string,
): Promise<{ finish(): Promise<IncomingMessage>; socket: Socket }> {
  const sent = request(url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'content-length': 2, expect: '100-continue' },
    agent: new Agent({ keepAlive: true }),
  })
  const answered = once(sent, 'response') as Promise<[IncomingMessage]>
  // Awaited only where an answer is expected; else the server cuts it off.
  answered.catch(() => undefined)
  sent.flushHeaders()
  // Only then has the server the request: a connection alone may still be in the kernel's queue.
  await once(sent, 'continue')
  sent.write('{')
  return {
    socket: sent.socket as Socket,
    async finish() {
      sent.end('}')
      const [response] = await answered
      response.resume()
      return response
    },
  }
}

async function expectRefused(url: string): Promise<void> {
  await vi.waitFor(
    async () => {
      const socket = connect(Number(new URL(url).port), '127.0.0.1')
      try {
        await expect(once(socket, 'connect')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
      } finally {
        socket.destroy()
      }
    },
    { timeout: 30_000, interval: 10 },
  )
}

async function expectOrderlyEnd({ ended }: Running, sinceMs: number, withinMs: number): Promise<void> {
  const { code, stderr, stdout } = await ended
  expect(performance.now() - sinceMs).toBeLessThan(withinMs)
  // A code at all: no signal has ended it.
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toContain('"msg":"stopped"')
  const levels = stdout
    .split('\n')
    .flatMap((line) => (line ? [(JSON.parse(line) as { level: number }).level] : []))
  expect(Math.max(...levels)).toBeLessThan(50)
}

describe('a server that is told to stop', () => {
  it('answers what is open, takes nothing new, and exits 0', async () => {
    const server = await start()
    const pid = await redisPid()
    const elect = (path: string) => send(server.url, { path: `/api/v1/elect/shutdown/${path}` })
    expect((await elect('led?candidate=leader')).status).toBe(202)

    const waiting = [
      ...Array.from({ length: 10 }, (_, n) => elect(`led?wait=25s&candidate=s-${n}`)),
      send(server.url, { path: '/api/v1/rounds/shutdown/led?wait=25s' }),
    ]
    const halfSent = await Promise.all(
      Array.from({ length: 5 }, (_, n) => beginRequest(server.url, `/api/v1/elect/shutdown/half-sent-${n}`)),
    )
    // The requests must have come as far as waiting, which nothing shows from outside.
    const first = await Promise.race([...waiting, new Promise((resolve) => setTimeout(resolve, 500))])
    expect(first).toBeUndefined()

    const sinceMs = performance.now()
    server.signal('SIGTERM')
    for (const answer of await Promise.all(waiting)) expectProblem(answer, 'SHUTTING_DOWN')
    await expectRefused(server.url)
    for (const { finish } of halfSent) expect((await finish()).statusCode).toBe(202)
    await expectOrderlyEnd(server, sinceMs, 9_000)
    await expectGone(pid)

    const next = await start()
    const elected = await Promise.all(
      ['led', ...halfSent.map((_, n) => `half-sent-${n}`)].map((round) =>
        send(next.url, { path: `/api/v1/elected/shutdown/${round}` }),
      ),
    )
    expect(elected.map(({ status }) => status)).toEqual(Array(6).fill(200))
    const againMs = performance.now()
    next.signal('SIGINT')
    await expectOrderlyEnd(next, againMs, 9_000)
  })

  // Redis is held for less than a command may take: on a machine that is slow at this very moment, that is once more.
  it('answers elections that are under way', { retry: 4 }, async () => {
    const redis = await startRedis()
    closing.push(() => redis.stop())
    const server = await start(['--redis', redis.url])
    redis.pause()
    const asked = Promise.all(
      Array.from({ length: 20 }, (_, n) => send(server.url, { path: `/api/v1/elect/shutdown/round-${n}` })),
    )
    // Another try asks anew.
    asked.catch(() => undefined)
    // They must have been sent on to Redis, which cannot say so.
    await new Promise((resolve) => setTimeout(resolve, 200))
    const sinceMs = performance.now()
    server.signal('SIGTERM')
    await server.says('stopping')
    redis.resume()
    expect((await asked).map(({ status }) => status)).toEqual(Array(20).fill(202))
    await expectOrderlyEnd(server, sinceMs, 9_000)
  })

  it('does not wait for callers that keep their connection, or never finish their request', async () => {
    const server = await start()
    const pid = await redisPid()
    const agent = new Agent({ keepAlive: true })
    closing.push(() => agent.destroy())
    const [answered] = (await once(request(`${server.url}/healthz`, { agent }).end(), 'response')) as [
      IncomingMessage,
    ]
    answered.resume()
    const silent = connect(Number(new URL(server.url).port), '127.0.0.1')
    const slow = connect(Number(new URL(server.url).port), '127.0.0.1', () => slow.write('GET /healthz HT'))
    const halfSent = await beginRequest(server.url, '/api/v1/elect/shutdown/never')
    for (const socket of [silent, slow, halfSent.socket]) {
      socket.on('error', () => undefined)
      closing.push(() => socket.destroy())
    }
    await Promise.all(
      [silent, slow].map((socket) => (socket.connecting ? once(socket, 'connect') : undefined)),
    )

    const sinceMs = performance.now()
    server.signal('SIGTERM')
    await expectOrderlyEnd(server, sinceMs, STOPPED_WITHIN_MS)
    await expectGone(pid)
  })

  it('ends in time when its Redis does not answer', async () => {
    const redis = await startRedis()
    closing.push(() => redis.stop())
    const server = await start(['--redis', redis.url])
    expect((await send(server.url, { path: '/api/v1/elect/shutdown/led' })).status).toBe(202)
    redis.pause()
    const sinceMs = performance.now()
    server.signal('SIGTERM')
    await expectOrderlyEnd(server, sinceMs, STOPPED_WITHIN_MS)
  })

  it('takes a Ctrl-C that comes twice, from the terminal and from npm, for one', async () => {
    const server = await start()
    const halfSent = await beginRequest(server.url, '/api/v1/elect/shutdown/half-sent')
    const sinceMs = performance.now()
    server.signal('SIGINT')
    await server.says('stopping')
    server.signal('SIGINT')
    // Two of the same that are pending are one: this one must have come.
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect((await halfSent.finish()).statusCode).toBe(202)
    await expectOrderlyEnd(server, sinceMs, 9_000)
  })

  it('ends, and its Redis, where its terminal is closed', async () => {
    const line = [process.execPath, ...program('src/cli/main.ts'), 'serve']
      .map((word) => `'${word}'`)
      .join(' ')
    const told = `echo $$ > '${folder}/pid'; exec ${line}`
    const terminal = spawn('script', ['-qfec', told, '/dev/null'], {
      stdio: ['pipe', 'pipe', 'ignore'],
      env: { PATH: process.env.PATH, HOME: folder, GONE_DATA_DIR: join(folder, 'data'), GONE_PORT: '0' },
    })
    closing.push(() => terminal.kill('SIGKILL'))
    let shown = ''
    terminal.stdout.on('data', (chunk) => {
      shown += chunk
    })
    await expect.poll(() => shown).toContain('listening')
    const pids = [Number(await readFile(join(folder, 'pid'), 'utf8')), await redisPid()]
    closing.push(() => pids.filter(isRunning).forEach((pid) => void process.kill(pid, 'SIGKILL')))
    terminal.kill('SIGKILL')
    await expect.poll(() => pids.filter(isRunning)).toEqual([])
  })

  it('ends at once when it is told again', async () => {
    const server = await start()
    const pid = await redisPid()
    await beginRequest(server.url, '/api/v1/elect/shutdown/never').then(({ socket }) => {
      socket.on('error', () => undefined)
      closing.push(() => socket.destroy())
    })
    server.signal('SIGTERM')
    await server.says('stopping')
    // What comes sooner counts as the same signal.
    await new Promise((resolve) => setTimeout(resolve, 600))
    const sinceMs = performance.now()
    server.signal('SIGTERM')
    const { code, stdout } = await server.ended
    expect(performance.now() - sinceMs).toBeLessThan(8_000)
    expect(code).toBe(1)
    expect(stdout).not.toContain('"msg":"stopped"')
    await vi.waitFor(() => expect(isRunning(pid)).toBe(false), { timeout: 30_000, interval: 20 })
  })

  it('ends by force after GONE_SHUTDOWN', async () => {
    const server = await start([], { GONE_SHUTDOWN: '500ms' })
    const pid = await redisPid()
    const { socket } = await beginRequest(server.url, '/api/v1/elect/shutdown/never')
    socket.on('error', () => undefined)
    closing.push(() => socket.destroy())
    const sinceMs = performance.now()
    server.signal('SIGTERM')
    expect((await server.ended).code).toBe(1)
    expect(performance.now() - sinceMs).toBeLessThan(8_000)
    await vi.waitFor(() => expect(isRunning(pid)).toBe(false), { timeout: 30_000, interval: 20 })
  })
})

describe('a server that cannot start', () => {
  async function expectOneLine({ ended }: Running, line: RegExp): Promise<void> {
    const { code, stderr, stdout } = await ended
    expect({ code, stdout, stderr }).toEqual({
      code: 2,
      stdout: '',
      stderr: expect.stringMatching(new RegExp(`^gone: [^\\n]*${line.source}[^\\n]*\\n$`)),
    })
  }

  it('says in one line that it cannot listen there, and leaves no Redis behind', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    closing.push(() => other.close())
    const { port } = other.address() as AddressInfo
    const elsewhere = { GONE_DATA_DIR: join(folder, 'elsewhere'), GONE_KEYS: 'optional' }
    await Promise.all([
      expectOneLine(
        serve(['--port', String(port)]),
        new RegExp(`port ${port} of 127.0.0.1 is taken.*--port`),
      ),
      expectOneLine(serve(['--host', '192.0.2.1'], elsewhere), /cannot listen on 192\.0\.2\.1:0/),
    ])
    for (const name of ['data', 'elsewhere']) {
      expect(existsSync(join(folder, name, 'redis.log'))).toBe(true)
      expect(existsSync(join(folder, name, 'redis.sock'))).toBe(false)
    }
  })

  it('says in one line what is wrong with its settings', async () => {
    const wrong: [string[], Record<string, string>, RegExp][] = [
      [[], { GONE_PORT: 'http' }, /GONE_PORT: expected an integer from 0 to 65535, got "http"/],
      [[], { GONE_PROT: '80' }, /GONE_PROT: no such setting/],
      [['--redis', 'http://localhost'], {}, /REDIS_URL: expected redis:/],
      [['--prot', '80'], {}, /unknown option '--prot'/],
    ]
    await Promise.all(wrong.map(([args, env, line]) => expectOneLine(serve(args, env), line)))
    expect(existsSync(join(folder, 'data'))).toBe(false)
  })
})
