import { execFile, execFileSync } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { createClient, type GoneClient } from '../../src/index.ts'
import type { Run } from '../support/processes.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

const EXAMPLES = fileURLToPath(new URL('../../examples', import.meta.url))
/** How each example is told to run a command in a round. */
const CLIENTS = [
  ['once.sh', ['sh', join(EXAMPLES, 'once.sh')]],
  ['once.py', ['python3', join(EXAMPLES, 'once.py'), 'run']],
] as const
const PYTHON = CLIENTS[1][1]

let server: TestServer
let client: GoneClient
let folder: string
let rounds = 0

beforeAll(async () => {
  for (const [program, package_] of [
    ['python3', 'python3'],
    ['curl', 'curl'],
  ] as const) {
    try {
      execFileSync(program, ['--version'], { stdio: 'ignore' })
    } catch {
      throw new Error(`the examples need ${program} on PATH to be tested: apt-get install ${package_}`)
    }
  }
  server = await startTestServer()
  client = createClient({ url: server.url })
  folder = await mkdtemp(join(tmpdir(), 'gone-examples-'))
})

afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

const newRound = () => `round-${rounds++}`

function run(
  [command = '', ...words]: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Run> {
  return new Promise((resolve) => {
    const options = { env: { ...process.env, GONE_URL: server.url, ...env }, timeout: 60_000 }
    const child = execFile(command, words, options, (_, stdout, stderr) =>
      resolve({ code: child.exitCode, stdout, stderr }),
    )
  })
}

describe.each(CLIENTS)('%s', (_, words) => {
  it('runs the command in one of five', async () => {
    const round = newRound()
    const file = join(folder, round)
    const runs = await Promise.all(
      Array.from({ length: 5 }, () => run([...words, 'examples', round, 'sh', '-c', `echo ran >>${file}`])),
    )
    expect(runs).toEqual(Array.from({ length: 5 }, () => ({ code: 0, stdout: '', stderr: '' })))
    expect(await readFile(file, 'utf8')).toBe('ran\n')
    expect(await client.completed('examples', round)).toBeDefined()
  })

  it('exits as the command does, and fails the round', async () => {
    const round = newRound()
    expect(await run([...words, 'examples', round, 'sh', '-c', 'exit 7'])).toMatchObject({ code: 7 })
    expect(await client.round('examples', round)).toMatchObject({
      state: 'failed',
      completion: { reason: 'exit code 7' },
    })
    expect(await run([...words, 'examples', round, 'echo', 'again'])).toEqual({
      code: 0,
      stdout: '',
      stderr: '',
    })
  })

  it('asks again with the same token when an answer is an error, or lost', async () => {
    const round = newRound()
    const proxy = await startTrouble()
    const ran = await run([...words, 'examples', round, 'echo', 'ran'], { GONE_URL: proxy.url })
    expect({ code: ran.code, stdout: ran.stdout }).toEqual({ code: 0, stdout: 'ran\n' })
    expect(proxy.asked.elect).toBe(3)
    expect(proxy.asked.complete).toBe(3)
    expect(proxy.tokens.size).toBe(1)
    expect(await client.completed('examples', round)).toBeDefined()
  })

  it('exits 2 for bad usage, and for a name that the server refuses', async () => {
    expect(await run([...words, 'examples'])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/usage/),
    })
    expect(await run([...words, 'examples', 'a/b', 'echo', 'ran'])).toMatchObject({ code: 2, stdout: '' })
  })
})

describe('once.py', () => {
  it('renews for as long as the command runs', async () => {
    const round = newRound()
    const ran = run([...PYTHON, 'examples', round, 'sleep', '5'], { LEASE_SECONDS: '2' })
    await expect.poll(() => client.elected('examples', round), { timeout: 45_000 }).toBeDefined()
    expect(await client.elect('examples', round, { lease: '1s', wait: '15s' })).toMatchObject({
      leads: false,
      state: 'completed',
    })
    expect(await ran).toEqual({ code: 0, stdout: '', stderr: '' })
  })

  it('ends the command when no renewal gets through, and reports nothing', async () => {
    const round = newRound()
    const proxy = await startTrouble((verb) => verb === 'renew')
    const words = [...PYTHON, 'examples', round, 'sleep', '30']
    const { code, stderr } = await run(words, { GONE_URL: proxy.url, LEASE_SECONDS: '1.5' })
    expect({ code, stderr }).toEqual({ code: 75, stderr: expect.stringContaining('is lost') })
    expect(await client.round('examples', round)).not.toHaveProperty('completion')
  })

  it('submits', async () => {
    const round = newRound()
    const words = ['python3', join(EXAMPLES, 'once.py'), 'submit', 'examples', round, 'mailer', '{"to":"a"}']
    expect(await run(words)).toEqual({ code: 0, stdout: 'submitted, submitted\n', stderr: '' })
    expect(await run(words)).toEqual({ code: 0, stdout: 'submitted before, submitted\n', stderr: '' })
    expect(await client.round('examples', round)).toMatchObject({ job: { worker: 'mailer' } })
  })
})

interface Trouble {
  readonly url: string
  readonly asked: Record<string, number>
  readonly tokens: Set<string>
}

/** A proxy that answers the first call of each kind 500, executes the second and loses its answer. */
async function startTrouble(isCutOff: (verb: string) => boolean = () => false): Promise<Trouble> {
  const asked: Record<string, number> = {}
  const tokens = new Set<string>()
  const proxy: Server = createServer((incoming, outgoing) => {
    const verb = incoming.url?.split('/')[3] ?? ''
    tokens.add(String(incoming.headers['gone-candidate']))
    const count = (asked[verb] ?? 0) + 1
    asked[verb] = count
    incoming.resume()
    if (isCutOff(verb)) return void incoming.socket.destroy()
    if (count === 1) return void outgoing.writeHead(500).end()
    const { method, headers, url } = incoming
    const passed = request(
      `${server.url}${url}`,
      { method, headers: { ...headers, 'content-length': 0 } },
      (answer) => {
        if (count === 2) {
          answer.resume()
          outgoing.writeHead(503).end()
          return
        }
        outgoing.writeHead(answer.statusCode ?? 0, answer.headers)
        answer.pipe(outgoing)
      },
    )
    passed.on('error', () => outgoing.destroy())
    passed.end()
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    proxy.closeAllConnections()
    proxy.close()
  })
  return { url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`, asked, tokens }
}
