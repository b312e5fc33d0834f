import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Process, startProcess } from '../support/processes.ts'
import { program } from '../support/program.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

interface Line {
  readonly level: number
  readonly msg: string
  readonly [field: string]: unknown
}

let redis: TestRedis
let folder: string

beforeAll(async () => {
  redis = await startRedis()
  folder = await mkdtemp(join(tmpdir(), 'gone-logs-'))
  const worker = (body: string) => `export default ${body}`
  await writeFile(join(folder, 'fine.mjs'), worker('async () => "a result"'))
  await writeFile(join(folder, 'broken.mjs'), worker('async () => { throw new Error("no ink") }'))
})

afterAll(async () => {
  await redis.stop()
  await rm(folder, { recursive: true, force: true })
})

async function start(
  words: readonly string[],
  env: Record<string, string>,
): Promise<{ process: Process; lines: Line[] }> {
  const lines: Line[] = []
  const process = await startProcess({
    name: words.join(' '),
    args: [...program('src/cli/main.ts'), ...words],
    env,
    onLine: (line) => void lines.push(JSON.parse(line) as Line),
  })
  return { process, lines }
}

async function submit(url: string, worker: string, round: string): Promise<void> {
  const answer = await fetch(`${url}/api/v1/submit/logs/${round}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ worker, data: { payload: 'very-private' } }),
  })
  expect(answer.status).toBe(202)
}

describe('the log', () => {
  it('of gone work says at info what it ran and how that ended, of a server at debug who asked and what was answered', async () => {
    const env = { REDIS_URL: redis.url }
    const server = await start(['serve', '--port', '0'], { ...env, GONE_LOG_LEVEL: 'debug' })
    const worker = await start(['work', folder], env)
    const { url } = server.process
    await submit(url, 'fine', 'one')
    await submit(url, 'broken', 'two')
    await fetch(`${url}/api/v1/elect/logs/nobody?candidate=very-secret-token`)
    await fetch(`${url}/nowhere`)
    const ran = () => worker.lines.filter(({ worker }) => worker !== undefined)
    await expect.poll(() => ran().length, { timeout: 30_000 }).toBe(2)
    const about = { attempt: 1, fence: expect.any(Number), ms: expect.any(Number), level: 30 }
    expect(ran()).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ ...about, worker: 'fine', round: 'logs~one', msg: 'completed' }),
        expect.objectContaining({ ...about, worker: 'broken', round: 'logs~two', msg: 'failed: no ink' }),
      ]),
    )
    const answered = () => server.lines.filter(({ msg }) => msg === 'answered')
    await expect.poll(() => answered().length, { timeout: 30_000 }).toBeGreaterThanOrEqual(4)
    const from = expect.stringMatching(/^127\.0\.0\.1:\d+$/)
    expect(answered()).toEqual(
      expect.arrayContaining(
        [
          { method: 'POST', path: '/api/v1/submit/logs/one', status: 202 },
          { method: 'GET', path: '/api/v1/elect/logs/nobody', status: 202 },
          { method: 'GET', path: '/nowhere', status: 404 },
        ].map((asked) => expect.objectContaining({ ...asked, from, level: 20 })),
      ),
    )
    expect(JSON.stringify([server.lines, worker.lines])).not.toMatch(/very-(?:secret|private)|a result/)
    await Promise.all([server.process.stop(), worker.process.stop()])
  })

  it('of gone work tells of an outage when it begins and when it ends, and not of each try', async () => {
    const own = await startRedis()
    const { process, lines } = await start(['work', folder], { REDIS_URL: own.url })
    const before = lines.length
    await own.kill()
    const since = (msg: string) => lines.slice(before).filter((line) => line.msg === msg)
    await expect.poll(() => since('Redis is not reachable').length, { timeout: 30_000 }).toBeGreaterThan(3)
    // Long enough for some twenty tries of each worker: what must not come cannot be waited for.
    await new Promise((resolve) => setTimeout(resolve, 6_000))
    await own.restart()
    const away = new Set(since('Redis is not reachable').map(({ client }) => client)).size
    await expect.poll(() => since('Redis is back').length, { timeout: 30_000 }).toBe(away)
    expect(since('Redis is not reachable')).toHaveLength(away)
    expect(since('worker trouble').length).toBeLessThanOrEqual(2)
    await process.stop()
    await own.stop()
  }, 90_000)
})

describe('the form of the log', () => {
  /** What gone serve prints, with the answer to "is a terminal" being yes or no, until it listens. */
  async function firstLines(isTerminal: boolean, format?: string): Promise<string> {
    const words = [process.execPath, ...program('src/cli/main.ts'), 'serve', '--port', '0']
    const [file = '', ...args] = isTerminal
      ? ['script', '-qfec', words.map((word) => `'${word}'`).join(' '), '/dev/null']
      : words
    const child = spawn(file, args, {
      env: {
        PATH: process.env.PATH,
        REDIS_URL: redis.url,
        TERM: 'xterm',
        ...(format && { GONE_LOG_FORMAT: format }),
      },
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    let seen = ''
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      seen += text
    })
    const ended = once(child, 'exit')
    try {
      await expect.poll(() => seen, { timeout: 50_000 }).toMatch(/listening[^\n]*\n/)
      return seen
    } finally {
      child.kill('SIGTERM')
      await ended
    }
  }

  const isJson = expect.stringMatching(/^\{"level":30,.*"msg":"listening"\}\r?\n/m)
  const isText = expect.stringMatching(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours
    /^\d\d:\d\d:\d\d (?:\u001b\[\d+m)*info +(?:\u001b\[\d+m)*listening {2}(?:\u001b\[\d+m)*url=http/m,
  )

  it.each([
    ['a terminal', true, undefined, isText],
    ['a pipe', false, undefined, isJson],
    ['a terminal and GONE_LOG_FORMAT=json', true, 'json', isJson],
    ['a pipe and GONE_LOG_FORMAT=text', false, 'text', isText],
    ['a pipe and GONE_LOG_FORMAT=auto', false, 'auto', isJson],
  ] as const)('with %s is for whom it is read by', async (_, isTerminal, format, expected) => {
    expect(await firstLines(isTerminal, format)).toEqual(expected)
  })
})
