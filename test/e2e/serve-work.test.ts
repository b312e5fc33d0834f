import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createClient } from '../../src/index.ts'
import { spawnCli } from '../support/cli.ts'
import { endOf, type Process, spawnProcess, startProcess } from '../support/processes.ts'
import { program } from '../support/program.ts'
import { startRedis } from '../support/redis.ts'

let folder: string
let lines: string[]
const closers: (() => Promise<unknown>)[] = []

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gone-serve-work-'))
  await mkdir(join(folder, 'workers'))
  lines = []
})

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
  await rm(folder, { recursive: true, force: true })
})

/** A worker that says which process runs it, after so long, and one that ends its process. */
async function writeWorkers(ms: number): Promise<void> {
  const slow = `export default async () => { await new Promise((r) => setTimeout(r, ${ms})); return process.pid }\n`
  await writeFile(join(folder, 'workers/slow.mjs'), slow)
  await writeFile(join(folder, 'workers/bad.mjs'), 'export default () => process.exit(3)\n')
}

/** With a Redis of its own, as whoever tries it for the first time. */
async function serve(env: Record<string, string> = {}): Promise<Process> {
  const server = await startProcess({
    name: 'gone serve --work',
    args: [...program('src/cli/main.ts'), 'serve', '--port', '0', '--work', './workers'],
    env: { GONE_LOG_LEVEL: 'info', ...env },
    cwd: folder,
    onLine: (line) => lines.push(line),
  })
  closers.push(() => server.stop())
  return server
}

const said = (text: string) => lines.filter((line) => line.includes(text))
const pidOf = (line: string | undefined) => (JSON.parse(line ?? '{}') as { pid?: number }).pid
const isThere = (pid: number) => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

it('runs a first job with one command, in a process apart, and drains it before the server and its Redis', async () => {
  await writeWorkers(1_500)
  const server = await serve()
  const client = createClient({ url: server.url })
  await client.submit('first', '1', { worker: 'slow' })
  const ended = await client.wait('first', '1', { timeout: '20s' })
  expect(ended?.completion).toMatchObject({ outcome: 'completed', result: expect.any(Number) })
  expect(ended?.completion.result).not.toBe(server.pid)
  expect(ended?.completion.result).toBe(pidOf(said('"msg":"working"')[0]))

  await client.submit('first', '2', { worker: 'slow' })
  await expect.poll(async () => (await client.round('first', '2'))?.state).toBe('led')
  expect(await server.stop()).toBe(0)
  expect(isThere(ended?.completion.result as number)).toBe(false)
  const [drained, stopping] = ['draining', 'stopped'].map((text) =>
    lines.findIndex((line) => line.includes(`"msg":"${text}"`)),
  )
  expect(drained).toBeGreaterThan(-1)
  expect(stopping).toBeGreaterThan(drained as number)

  const again = await serve()
  const kept = await createClient({ url: again.url }).round('first', '2')
  expect(kept).toMatchObject({ state: 'completed' })
}, 90_000)

it('goes on where the workers die, says so and starts them again', async () => {
  await writeWorkers(1)
  const server = await serve()
  await expect.poll(() => said('"msg":"working"').length).toBe(1)
  const client = createClient({ url: server.url })
  await client.submit('first', 'bad', { worker: 'bad', ifExecutorDies: 'fail' })
  await expect.poll(() => said('have ended by themselves').length).toBe(1)
  expect(JSON.parse(said('have ended by themselves')[0] ?? '{}')).toMatchObject({ code: 3 })
  expect((await client.elect('first', '3')).leads).toBe(true)
  await client.submit('first', '4', { worker: 'slow' })
  expect((await client.wait('first', '4', { timeout: '30s' }))?.completion.outcome).toBe('completed')
}, 90_000)

it.each([0, 1, 2])(
  'starts them again where a handler ends them with %i',
  async (code) => {
    await writeWorkers(1)
    await writeFile(join(folder, 'workers/bad.mjs'), `export default () => process.exit(${code})\n`)
    const server = await serve()
    await expect.poll(() => said('"msg":"working"').length).toBe(1)
    const client = createClient({ url: server.url })
    await client.submit('first', 'bad', { worker: 'bad', ifExecutorDies: 'fail' })
    await client.submit('first', '1', { worker: 'slow' })
    await expect.poll(() => said('"msg":"working"').length).toBe(2)
    expect((await client.wait('first', '1', { timeout: '60s' }))?.completion.outcome).toBe('completed')
    expect(server.isAlive).toBe(true)
  },
  90_000,
)

it('works on in the same process where nobody reads any more what it prints', async () => {
  const chatty =
    "export default () => { process.stdout.write('a\\n'); process.stderr.write('b\\n'); return process.pid }\n"
  await writeFile(join(folder, 'workers/chatty.mjs'), chatty)
  const server = await serve()
  const client = createClient({ url: server.url })
  const pids: unknown[] = []
  const run = async (round: string) => {
    await client.submit('unread', round, { worker: 'chatty' })
    const ended = await client.wait('unread', round, { timeout: '30s' })
    pids.push(ended?.completion.outcome === 'completed' && ended.completion.result)
  }
  await run('read')
  server.child.stdout?.destroy()
  server.child.stderr?.destroy()
  for (const round of ['1', '2', '3']) await run(round)
  expect(pids).toEqual(Array(4).fill(expect.any(Number)))
  expect(new Set(pids).size).toBe(1)
  expect(server.isAlive).toBe(true)
}, 150_000)

it('goes on where Redis is away as they are started again', async () => {
  await writeWorkers(1)
  const redis = await startRedis()
  closers.push(() => redis.stop())
  const server = await serve({ REDIS_URL: redis.url })
  await expect.poll(() => said('"msg":"working"').length).toBe(1)
  const pid = pidOf(said('"msg":"working"')[0]) ?? 0
  await redis.kill()
  process.kill(pid, 'SIGKILL')
  await expect.poll(() => said('do not reach Redis').length).toBeGreaterThan(0)
  await redis.restart()
  await expect.poll(() => said('"msg":"working"').length).toBe(2)
  expect(server.isAlive).toBe(true)
}, 120_000)

it('leaves them stopped where the fleet has told them to', async () => {
  await writeWorkers(1)
  const server = await serve()
  await expect.poll(() => said('"msg":"working"').length).toBe(1)
  const run = await endOf(
    spawnCli(['fleet', 'stop', '--all', '--yes', '--at-once', '--server', server.url], {}, { cwd: folder }),
  )
  expect(run).toMatchObject({ code: 0, stderr: '' })
  await expect.poll(() => said('the workers were stopped').length).toBe(1)
  expect(server.isAlive).toBe(true)
}, 90_000)

it('drains where a handler blocks, and kills what it has started', async () => {
  await writeFile(
    join(folder, 'workers/block.mjs'),
    `import { spawn } from 'node:child_process'
     import { writeFileSync } from 'node:fs'
     export default () => {
       const { pid } = spawn('sleep', ['120'], { detached: true, stdio: 'ignore' })
       writeFileSync('pids', process.pid + ' ' + pid)
       for (;;);
     }`,
  )
  const server = await serve({ GONE_SHUTDOWN: '8s' })
  const client = createClient({ url: server.url })
  await client.submit('first', '1', { worker: 'block' })
  const pids = async () =>
    (await readFile(join(folder, 'pids'), 'utf8').catch(() => '')).split(' ').filter(Boolean).map(Number)
  await expect.poll(async () => (await pids()).length).toBe(2)
  expect(await server.stop()).toBe(0)
  expect(said('"msg":"stopped"').length).toBe(1)
  await expect.poll(async () => (await pids()).filter(isThere)).toEqual([])
}, 90_000)

it('finds its Redis also where that has its socket elsewhere, and so do gone key and gone doctor', async () => {
  await writeWorkers(1)
  const env = { GONE_DATA_DIR: join(folder, 'long'.repeat(40)) }
  const server = await serve(env)
  await expect.poll(() => said('"msg":"working"').length).toBe(1)
  const gone = (...words: string[]) => endOf(spawnCli(words, env, { cwd: folder }))
  expect(await gone('key', 'create', '--name', 'a')).toMatchObject({ code: 0 })
  expect((await gone('key', 'list')).stdout).toMatch(/ a /)
  expect((await gone('doctor', '--server', server.url)).stdout).toContain(env.GONE_DATA_DIR)
}, 90_000)

it('makes keys in a folder where a socket was left by what ended without a word', async () => {
  const env = { GONE_DATA_DIR: join(folder, 'data') }
  const create = () => endOf(spawnCli(['key', 'create', '--name', 'a'], env, { cwd: folder }))
  expect(await create()).toMatchObject({ code: 0 })
  const listen = `require('node:net').createServer().listen(${JSON.stringify(join(env.GONE_DATA_DIR, 'redis.sock'))}, () => process.kill(process.pid, 'SIGKILL'))`
  await endOf(spawnProcess({ args: ['-e', listen] }))
  expect(await readdir(env.GONE_DATA_DIR)).toContain('redis.sock')
  expect(await create()).toMatchObject({ code: 0, stdout: expect.stringMatching(/^gone_/) })
}, 90_000)

it('lets no worker outlive a server that was killed', async () => {
  await writeWorkers(1)
  const server = await serve()
  await expect.poll(() => said('"msg":"working"').length).toBe(1)
  const pid = pidOf(said('"msg":"working"')[0]) ?? 0
  expect(isThere(pid)).toBe(true)
  await server.kill()
  await expect.poll(() => isThere(pid)).toBe(false)
}, 90_000)

it('ends with what is wrong where a worker does not load', async () => {
  await writeFile(join(folder, 'workers/broken.mjs'), 'export default 42\n')
  const run = await endOf(
    spawnCli(['serve', '--port', '0', '--work', './workers'], { GONE_LOG_LEVEL: 'error' }, { cwd: folder }),
  )
  expect(run.code).toBe(2)
  expect(run.stderr).toMatch(/^gone: worker .*broken\.mjs: .*\n$/)
}, 90_000)
