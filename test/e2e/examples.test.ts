import { execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { createClient, type GoneClient } from '../../src/index.ts'
import type { Run } from '../support/processes.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { startTrouble } from '../support/trouble.ts'

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
    const proxy = await startEachTrouble()
    const ran = await run([...words, 'examples', round, 'echo', 'ran'], { GONE_URL: proxy.url })
    expect({ code: ran.code, stdout: ran.stdout }).toEqual({ code: 0, stdout: 'ran\n' })
    expect(proxy.asked.elect).toBe(4)
    expect(proxy.asked.complete).toBe(4)
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
    const proxy = await startTrouble(server.url, ({ verb }) => (verb === 'renew' ? 'cut' : 'pass'))
    const words = [...PYTHON, 'examples', round, 'sleep', '30']
    const { code, stderr } = await run(words, { GONE_URL: proxy.url, LEASE_SECONDS: '1.5' })
    expect({ code, stderr }).toEqual({ code: 75, stderr: expect.stringContaining('is lost') })
    expect(await client.round('examples', round)).not.toHaveProperty('completion')
  })

  it('ends the command where a renewal is answered without an end', async () => {
    const round = newRound()
    const proxy = await startTrouble(server.url, ({ verb }) => (verb === 'renew' ? 'trickle' : 'pass'))
    const words = [...PYTHON, 'examples', round, 'sleep', '600']
    expect(await run(words, { GONE_URL: proxy.url, LEASE_SECONDS: '1.5' })).toMatchObject({ code: 75 })
    expect(await client.round('examples', round)).not.toHaveProperty('completion')
  })

  it('asks again where an answer comes in drips without an end', async () => {
    const round = newRound()
    const proxy = await startTrouble(server.url, ({ count }) => (count === 1 ? 'trickle' : 'pass'))
    const words = [...PYTHON, 'examples', round, 'echo', 'ran']
    expect(await run(words, { GONE_URL: proxy.url })).toMatchObject({ code: 0, stdout: 'ran\n' })
  })

  it('counts the lease from the request that was answered', async () => {
    const round = newRound()
    const proxy = await startTrouble(server.url, ({ verb, count }) =>
      verb === 'elect' && count < 6 ? 'cut' : 'pass',
    )
    // The sixth comes some five seconds after the first.
    const words = [...PYTHON, 'examples', round, 'echo', 'ran']
    expect(await run(words, { GONE_URL: proxy.url, LEASE_SECONDS: '4' })).toMatchObject({
      code: 0,
      stdout: 'ran\n',
    })
    expect(await client.completed('examples', round)).toBeDefined()
  })

  it('tells a report that is not taken from a lead that is lost', async () => {
    const round = newRound()
    const proxy = await startTrouble(server.url, ({ verb }) =>
      verb === 'complete' ? { status: 401, body: '{"code":"UNAUTHORIZED","retryable":false}' } : 'pass',
    )
    expect(await run([...PYTHON, 'examples', round, 'true'], { GONE_URL: proxy.url })).toMatchObject({
      code: 2,
    })
  })

  const signals = [
    ['SIGTERM', 143],
    ['SIGHUP', 129],
    ['SIGINT', 130],
  ] as const
  it.each(signals)('passes %s on to the command, and reports how that ended', async (signal, code) => {
    const round = newRound()
    const file = join(folder, round)
    const script = `echo begun >${file}; exec sleep 600`
    const [program, ...words] = [...PYTHON, 'examples', round, 'sh', '-c', script]
    const env = { ...process.env, GONE_URL: server.url }
    const child = spawn(program, words, { env, stdio: 'ignore' })
    onTestFinished(() => void child.kill('SIGKILL'))
    await expect.poll(() => readFile(file, 'utf8').catch(() => '')).toBe('begun\n')
    const ended = once(child, 'exit')
    child.kill(signal)
    expect(await ended).toEqual([code, null])
    expect(await client.round('examples', round)).toMatchObject({
      state: 'failed',
      completion: { reason: `exit code ${code}` },
    })
  })

  it('reports an exit of the work, too, as a failure', async () => {
    const round = newRound()
    const program = `import sys; from once import Gone; Gone().once('examples', '${round}', lambda _: sys.exit('told to exit'))`
    const env = { PYTHONPATH: EXAMPLES, PYTHONDONTWRITEBYTECODE: '1' }
    expect(await run(['python3', '-c', program], env)).toMatchObject({ code: 1, stderr: 'told to exit\n' })
    expect(await client.round('examples', round)).toMatchObject({
      state: 'failed',
      completion: { reason: 'told to exit' },
    })
  })

  it('submits', async () => {
    const round = newRound()
    const words = ['python3', join(EXAMPLES, 'once.py'), 'submit', 'examples', round, 'mailer', '{"to":"a"}']
    expect(await run(words)).toEqual({ code: 0, stdout: 'submitted, submitted\n', stderr: '' })
    expect(await run(words)).toEqual({ code: 0, stdout: 'submitted before, submitted\n', stderr: '' })
    expect(await client.round('examples', round)).toMatchObject({ job: { worker: 'mailer' } })
  })
})

/** The first call of each kind is answered 500, the second done and its answer lost with the connection, the third cut off. */
function startEachTrouble() {
  return startTrouble(server.url, ({ count }) => {
    if (count === 1) return { status: 500 }
    if (count === 2) return 'lose'
    return count === 3 ? 'cut' : 'pass'
  })
}
