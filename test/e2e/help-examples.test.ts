import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Command } from 'commander'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createProgram } from '../../src/cli/program.ts'
import { createClient } from '../../src/index.ts'
import { builtPath } from '../support/program.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { startWorkProcess } from '../support/serve-process.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { putGoneIn } from '../support/snippets.ts'

let folder: string
let redis: TestRedis
let server: TestServer
let env: NodeJS.ProcessEnv
const closers: (() => Promise<unknown>)[] = []

const SCHEDULES = 'system: cleaner\nschedules:\n  nightly: { cron: "0 2 * * *", job: { worker: hello } }\n'
const POOLS = 'pools:\n  mail: { instances: 6, release: "42" }\n'

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gone-help-'))
  redis = await startRedis()
  server = await startTestServer({ redis })
  const stub = (name: string, text: string) =>
    writeFile(join(folder, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 })
  // Programs of whoever reads the help.
  await Promise.all([stub('backup.sh', 'true'), stub('pg_dump', 'true'), stub('jq', 'cat')])
  await writeFile(join(folder, 'names.json'), '{"names":["Ada"]}')
  await writeFile(join(folder, 'order.json'), '{"order":4711}')
  await writeFile(join(folder, 'schedules.yaml'), SCHEDULES)
  await writeFile(join(folder, 'fleet.yaml'), POOLS)
  await createClient({ url: server.url }).fleet.pools.put('mail', { instances: 6, release: '41' })
  await writeFile(join(folder, '.bashrc'), '')
  await writeFile(join(folder, '.zshrc'), '')
  await mkdir(join(folder, '.config/fish/completions'), { recursive: true })
  await mkdir(join(folder, 'workers'))
  for (const worker of ['mailer', 'upcase', 'fibonacci', 'billing'])
    await writeFile(join(folder, `workers/${worker}.mjs`), 'export default () => "done"\n')
  await keepWorking(builtPath('workers'), {})
  // Of which the help of the fleet tells.
  await keepWorking(join(folder, 'workers'), { GONE_HOST_LABEL: 'eu-a' })
  env = {
    ...(await putGoneIn(folder, server.url)),
    HOME: folder,
    POD_NAME: 'pod-1',
    REDIS_URL: redis.url,
    GONE_PORT: '0',
    GONE_LOG_LEVEL: 'error',
  }
})

afterAll(async () => {
  for (const close of closers) await close()
  await server.stop()
  await redis.stop()
  await rm(folder, { recursive: true, force: true })
})

/** As a supervisor would: started again where it was told to be, or to stop. */
async function keepWorking(workers: string, more: Record<string, string>): Promise<void> {
  let isEnding = false
  let process = await startWorkProcess(workers, { REDIS_URL: redis.url, ...more })
  const again = async () => {
    await process.ended
    if (isEnding) return
    process = await startWorkProcess(workers, { REDIS_URL: redis.url, ...more })
    await again()
  }
  const running = again()
  closers.push(async () => {
    isEnding = true
    await process.stop()
    await running
  })
}

/** In the order of the help, which is one in which somebody may try them; keys last, for then everybody needs one. */
function examplesOf(command: Command): string[] {
  let help = ''
  command.configureOutput({
    writeOut: (text) => {
      help += text
    },
  })
  command.outputHelp()
  const [, shown = ''] = /\nExamples:\n((?: {2}.*\n)+)/.exec(help) ?? []
  const own = [...shown.matchAll(/^ {2}\$ (.*?)(?: {3,}.*)?$/gm)].map(([, example = '']) => example)
  return [...own, ...command.commands.flatMap(examplesOf)]
}

/** They go on until somebody ends them. */
const ENDLESS =
  /^gone (work|demo|fleet listen|fleet top --w|fleet shell$)|gone serve|gone work --only|--follow/

/** Another shell's own words, and a Redis that is not ours. */
function here(example: string): string {
  return example
    .replace(/^source <\(gone completion zsh\)$/, 'gone completion zsh')
    .replace(/\| source$/, '| cat')
    .replace('redis://redis:6379', redis.url)
    .replace('webhook,shell', 'webhook')
    .replace('--port 8081', '--port 0')
}

async function run(example: string): Promise<string> {
  const isEndless = ENDLESS.test(example)
  const child = spawn('bash', ['-c', here(example)], {
    env,
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      said += chunk
    })
  const closed = once(child, 'close') as Promise<[number | null]>
  const end = (signal: NodeJS.Signals) => () => process.kill(-(child.pid ?? 0), signal)
  // Long enough to be told that it cannot be.
  const timer = isEndless ? setTimeout(end('SIGINT'), 2_500) : setTimeout(end('SIGKILL'), 20_000)
  const [code] = await closed
  clearTimeout(timer)
  // 0 and 1 are answers; 130 is the end that a Ctrl-C gives.
  const isAnswer = code === 0 || code === 1 || (isEndless && (code === null || code === 130))
  return isAnswer && !/--help|gone: defect/.test(said) ? '' : `${example}: code ${code}: ${said.trim()}`
}

it('shows examples that work as they stand, of every command', async () => {
  const program = await createProgram()
  const examples = [...new Set(examplesOf(program))]
  expect(examples.length).toBeGreaterThan(90)
  const isOfKeys = (example: string) => example.startsWith('gone key')
  const failures: string[] = []
  const { fleet } = createClient({ url: server.url })
  for (const example of examples.filter((each) => !isOfKeys(each))) {
    if (/^gone fleet .*eu-a/.test(example))
      await expect
        .poll(() => fleet.instances({ host: 'eu-a', state: 'registered,unregistered' }))
        .toHaveLength(1)
    failures.push(await run(example))
  }
  for (const example of examples.filter(isOfKeys)) failures.push(await run(example))
  expect(failures.filter((failure) => failure !== '')).toEqual([])
}, 300_000)
