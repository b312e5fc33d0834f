import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { runCli, spawnCli } from '../support/cli.ts'
import { endOf as endOfRun } from '../support/processes.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { startServeProcess, startWorkProcess } from '../support/serve-process.ts'

const MODULES = fileURLToPath(new URL('../../node_modules', import.meta.url))

let redis: TestRedis
let project: string
const closers: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  redis = await startRedis()
})

afterAll(() => redis.stop())

beforeEach(async () => {
  project = await mkdtemp(join(tmpdir(), 'gone-project-'))
  await mkdir(join(project, 'workers'))
  await writeFile(join(project, 'package.json'), '{"type":"module"}')
})

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
  await rm(project, { recursive: true, force: true })
})

const workers = () => join(project, 'workers')

/** The end of a round that this worker was submitted. */
async function endOf(worker: string, round: string): Promise<unknown> {
  const server = await startServeProcess({ REDIS_URL: redis.url })
  closers.push(() => server.stop())
  const work = await startWorkProcess(workers(), { REDIS_URL: redis.url })
  closers.push(() => work.stop())
  const path = `system/${round}`
  const submitted = await fetch(`${server.url}/api/v1/submit/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ worker }),
  })
  expect(submitted.status).toBe(202)
  return (await fetch(`${server.url}/api/v1/rounds/${path}?wait=20s`)).json()
}

describe('a worker in TypeScript, in a project of its own', () => {
  const readsTypeScript = Boolean((process.features as { typescript?: string | false }).typescript)

  beforeEach(async () => {
    const text = 'const answer: number = 42\nexport default async (): Promise<number> => answer\n'
    await writeFile(join(workers(), 'typed.ts'), text)
  })

  it('is read by the tsx of the project, or by Node itself', async () => {
    await mkdir(join(project, 'node_modules'))
    await symlink(join(MODULES, 'tsx'), join(project, 'node_modules/tsx'))
    expect(await endOf('typed', 'tsx')).toMatchObject({ state: 'completed', completion: { result: 42 } })
  })

  it('is read by Node itself, or refused with the three ways', async () => {
    if (readsTypeScript) {
      expect(await endOf('typed', 'node')).toMatchObject({ state: 'completed', completion: { result: 42 } })
      return
    }
    // Not where this project's own tsx would be found.
    const ended = await endOfRun(spawnCli(['work', workers()], { REDIS_URL: redis.url }, { cwd: project }))
    expect(ended.code).toBe(2)
    expect(ended.stderr).toMatch(
      /^gone: worker .*typed\.ts: does not load: Node [\d.]+ does not read TypeScript; install tsx beside it, run Node 22\.18 or newer, or compile it to \.mjs\n$/,
    )
  })
})

describe('the workers that come with gone', () => {
  it('are served without shell where there is no catalogue', async () => {
    const bare = await runUntilWorking([])
    expect(bare).toMatchObject({ workers: ['hello', 'webhook'] })
    expect(bare.leftOut).toContainEqual(
      expect.stringMatching(/^shell\.[jt]s \(GONE_SHELL_CATALOGUE names no/),
    )
    const catalogue = join(project, 'catalogue.json')
    await writeFile(catalogue, '{}')
    const all = await runUntilWorking([], { GONE_SHELL_CATALOGUE: catalogue })
    expect(all.workers).toEqual(['hello', 'shell', 'webhook'])
  })

  it('refuse to serve shell alone without one', async () => {
    const ended = await runCli(['work', '--only', 'shell'], { REDIS_URL: redis.url })
    expect(ended.code).toBe(2)
    expect(ended.stderr).toBe('gone: worker shell: GONE_SHELL_CATALOGUE names no catalogue\n')
  })
})

/** What a bare `gone work` says when it has started. */
async function runUntilWorking(args: readonly string[], env: Record<string, string> = {}) {
  const child = spawnCli(['work', ...args], { REDIS_URL: redis.url, ...env })
  let output = ''
  child.stdout?.on('data', (chunk) => {
    output += chunk
  })
  closers.push(async () => child.kill('SIGKILL'))
  await expect.poll(() => output, { timeout: 30_000 }).toContain('"msg":"working"')
  const line = output.split('\n').find((text) => text.includes('"msg":"working"')) ?? '{}'
  return JSON.parse(line) as { workers: string[]; leftOut: string[] }
}
