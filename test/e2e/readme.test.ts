import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ERROR_CODES } from '../../src/errors.ts'
import { SETTINGS, type Setting } from '../../src/settings.ts'
import { TRACE_SETTINGS } from '../../src/trace-settings.ts'
import type { Process } from '../support/processes.ts'
import { builtPath } from '../support/program.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { startServeProcess, startWorkProcess } from '../support/serve-process.ts'
import { blocksOf, putGoneIn, ROOT, runnable } from '../support/snippets.ts'

const run = promisify(execFile)

let readme: string
let redis: TestRedis
let server: Process
let folder: string
const closers: (() => Promise<void>)[] = []

beforeAll(async () => {
  readme = await readFile(join(ROOT, 'README.md'), 'utf8')
  redis = await startRedis()
  server = await startServeProcess({ REDIS_URL: redis.url })
  folder = await mkdtemp(join(tmpdir(), 'gone-readme-'))
})

afterAll(async () => {
  for (const close of closers) await close()
  await server.stop()
  await redis.stop()
  await rm(folder, { recursive: true, force: true })
})

/** The README's blocks of one language, in order. */
const blocks = (language: string) => blocksOf(readme, language)

/** What differs from run to run: ports, processes, fences, days, and Berlin's offset between summer and winter. */
function anyRun(text: string): string {
  return anyPort(text)
    .replace(/(?<=cleaner\/broken +)\d(?= )/g, '<n>')
    .replace(/hello@\S+ \(fence \d+\)/g, 'hello@<worker> (fence <n>)')
    .replace(/\d{4}-\d\d-\d\d/g, '<date>')
    .replace(/(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) (?=<date>)/g, '<day> ')
    .replace(/(?<=02:00(?::00)? ?)\+0[12](?=:00| )/g, '<Berlin>')
    .replace(/(?<=<Berlin>.*)0[01]:00/g, '<UTC>')
    .replace(/(?<=<date>[ T])\d\d:\d\d(?::[1-5]?0)?(?= UTC|\+00:00)/g, '<time>')
}

const anyPort = (text: string) => text.replace(/127\.0\.0\.1:\d+/g, '127.0.0.1:<port>')

/** What a command prints, whatever its exit code. */
async function printed(command: string, env: NodeJS.ProcessEnv): Promise<string> {
  return run('sh', ['-c', `${runnable(command, server.url)} || true`], { env, cwd: folder }).then(
    ({ stdout }) => stdout,
  )
}

/** What the TypeScript with this call in it prints. */
async function ranTypeScript(call: string): Promise<string> {
  const code = blocks('ts').find((block) => block.includes('createClient') && block.includes(call)) ?? ''
  const program = runnable(code, server.url).replaceAll('2026-11-22-0800', '2026-11-22-0900')
  const file = join(folder, 'program.mts')
  await writeFile(file, program)
  const { stdout } = await run(process.execPath, ['--import', import.meta.resolve('tsx'), file])
  return stdout
}

/** `gone work` on a folder; it ends with the test file. */
async function startTestWorkersIn(workers: string, env: Record<string, string> = {}): Promise<void> {
  const work = await startWorkProcess(workers, { REDIS_URL: redis.url, ...env })
  closers.push(() => work.kill())
}

/** A `gone` on PATH that runs this tree. */
async function withGone(): Promise<NodeJS.ProcessEnv> {
  await writeFile(join(folder, 'send-report'), '#!/bin/sh\necho sent\n', { mode: 0o755 })
  return { ...(await putGoneIn(folder, server.url)), HOSTNAME: 'replica-1' }
}

describe('the README', () => {
  it('shows what the commands really print', async () => {
    const env = await withGone()
    await startTestWorkersIn(builtPath('workers'))
    await writeFile(join(folder, 'schedules.yaml'), blocks('yaml')[0] ?? '')
    const shown = blocks('console').flatMap((block) => [...block.matchAll(/^\$ (.*)\n((?:[^$].*\n)*)/gm)])
    expect(shown).toHaveLength(17)
    for (const [, command = '', output = ''] of shown) {
      // What is seen some seconds later, as an alert, may be seen at once.
      const patience = { timeout: command.startsWith('gone alerts') ? 30_000 : 0, interval: 500 }
      await expect
        .poll(async () => ({ command, output: anyRun(await printed(command, env)) }), patience)
        .toEqual({ command, output: anyRun(output) })
    }
  }, 90_000)

  it('has a shell line that elects, works and completes', async () => {
    const line = blocks('sh').find((block) => block.startsWith('gone elect')) ?? ''
    const { stdout } = await run('sh', ['-c', line], { env: await withGone(), cwd: folder })
    expect(stdout).toContain('sent')
    expect((await fetch(`${server.url}/api/v1/completed/report/2026-11-22-0800`)).status).toBe(200)
  })

  it('has TypeScript that runs', async () => {
    expect(await ranTypeScript('.elect(')).toMatch(/^I lead, under fence \d+\n$/)
    expect(await ranTypeScript('schedules.put(')).toMatch(
      /^(nightly@\S+T02:00:00\+0[12]:00 is due at \S+Z\n){3}$/,
    )
  })

  it('has a test that needs no server', async () => {
    const code = blocks('ts').find((block) => block.includes('createTestGone')) ?? ''
    const file = join(folder, 'testing.mts')
    await writeFile(file, runnable(code, server.url))
    const { stdout } = await run(process.execPath, ['--import', import.meta.resolve('tsx'), file])
    expect(stdout).toBe('true\n')
  })

  it('has a worker that loads and runs', async () => {
    const code = blocks('ts').find((block) => block.includes('defineWorker')) ?? ''
    await mkdir(join(folder, 'workers'))
    await writeFile(join(folder, 'workers/mailer.ts'), runnable(code, server.url))
    await startTestWorkersIn(join(folder, 'workers'), {
      NODE_OPTIONS: `--import ${import.meta.resolve('tsx')}`,
    })
    const submitted = await fetch(`${server.url}/api/v1/submit/readme/1`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"worker":"mailer","data":{"to":"anna"}}',
    })
    expect(submitted.status).toBe(202)
    const round = async () => (await fetch(`${server.url}/api/v1/rounds/readme/1?wait=10s`)).json()
    expect(await round()).toMatchObject({ state: 'completed', completion: { result: { sentTo: 'anna' } } })
  })

  it('has a line for a crontab that runs once', async () => {
    const line = blocks('sh').find((block) => block.startsWith('gone once')) ?? ''
    const env = await withGone()
    const first = await run('sh', ['-c', line], { env, cwd: folder })
    const second = await run('sh', ['-c', line], { env, cwd: folder })
    expect([first.stdout, second.stdout]).toEqual([expect.stringContaining('sent'), ''])
  })

  it('has a line that makes a key', async () => {
    const line = blocks('sh').find((block) => block.startsWith('gone key create')) ?? ''
    const env = { ...(await withGone()), GONE_DATA_DIR: join(folder, 'keys') }
    const { stdout } = await run('sh', ['-c', line], { env, cwd: folder })
    expect(stdout).toMatch(/^gone_[0-9a-f]{12}_[\w-]{43}\n$/)
  })

  it('names only scripts that exist', async () => {
    const { scripts } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>
    }
    const contributing = await readFile(join(ROOT, 'CONTRIBUTING.md'), 'utf8')
    const named = [...`${readme}${contributing}`.matchAll(/npm (?:run )?(test|[a-z:]+)(?=[\s`])/g)].map(
      (match) => match[1],
    )
    expect(
      named.filter(
        (name) => name !== 'ci' && name !== 'run' && name !== 'link' && !((name as string) in scripts),
      ),
    ).toEqual([])
  })

  it('lists every setting with its default', () => {
    expect(tableAfter('settings', readme)).toEqual(rowsOf(SETTINGS))
  })

  it('has those of traces in the chapter on them', async () => {
    const operate = await readFile(join(ROOT, 'docs/operate.md'), 'utf8')
    expect(tableAfter('traces', operate)).toEqual(rowsOf(TRACE_SETTINGS))
  })
})

describe('the description of the protocol', () => {
  it('lists every error code with what it means', async () => {
    const protocol = await readFile(join(ROOT, 'docs/http.md'), 'utf8')
    const rows = Object.entries(ERROR_CODES).map(
      ([code, { status, retryable, title }]) =>
        `| \`${code}\` | ${status || ''} | ${retryable ? 'yes' : 'no'} | ${title} |`,
    )
    expect(tableAfter('errors', protocol)).toEqual([
      '| code | status | retryable | means |',
      '|---|---|---|---|',
      ...rows,
    ])
  })
})

function rowsOf(settings: Readonly<Record<string, Setting<unknown>>>): string[] {
  const rows = Object.values(settings).map(
    ({ name, fallback, about }) => `| \`${name}\` | ${fallback && `\`${fallback}\``} | ${about} |`,
  )
  return ['| variable | default | what |', '|---|---|---|', ...rows]
}

/** The table that follows a marker in a document, line by line. */
function tableAfter(marker: string, document: string): string[] {
  const text = document.split(`<!-- ${marker} -->\n\n`)[1] ?? ''
  return (/^(?:\|.*\n)+/.exec(text)?.[0] ?? '').trimEnd().split('\n')
}
