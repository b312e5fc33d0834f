import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SETTINGS } from '../../src/config.ts'
import { ERROR_CODES } from '../../src/errors.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { type ServeProcess, startServeProcess, startWorkProcess } from '../support/serve-process.ts'

const run = promisify(execFile)
const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const MAIN = join(ROOT, 'src/cli/main.ts')
const WRITTEN_FOR = 'http://127.0.0.1:8080'

let readme: string
let redis: TestRedis
let server: ServeProcess
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

/** The fenced blocks of one language, in order. */
function blocks(language: string): string[] {
  return [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(
    (match) => match[1] ?? '',
  )
}

const anyPort = (text: string) => text.replace(/127\.0\.0\.1:\d+/g, '127.0.0.1:<port>')

/** `gone work` on a folder; it ends with the test file. */
async function startTestWorkersIn(workers: string): Promise<void> {
  const work = await startWorkProcess(workers, { REDIS_URL: redis.url })
  closers.push(() => work.kill())
}

/** A `gone` on PATH that runs this tree. */
async function withGone(): Promise<NodeJS.ProcessEnv> {
  const shim = join(folder, 'gone')
  await writeFile(
    shim,
    `#!/bin/sh\nexec "${process.execPath}" --import "${import.meta.resolve('tsx')}" "${MAIN}" "$@"\n`,
    { mode: 0o755 },
  )
  await writeFile(join(folder, 'send-report'), '#!/bin/sh\necho sent\n', { mode: 0o755 })
  return {
    ...process.env,
    PATH: `${folder}:${process.env.PATH}`,
    GONE_URL: server.url,
    HOSTNAME: 'replica-1',
  }
}

describe('the README', () => {
  it('shows what curl really prints', async () => {
    const shown = [
      ...blocks('console')
        .join('')
        .matchAll(/^\$ (.*)\n((?:[^$].*\n)*)/gm),
    ].map(([, command, output]) => ({
      command,
      output,
    }))
    expect(shown).toHaveLength(7)
    for (const { command = '', output = '' } of shown) {
      const { stdout } = await run('sh', ['-c', command.replaceAll(WRITTEN_FOR, server.url)])
      expect({ command, output: anyPort(stdout) }).toEqual({ command, output: anyPort(output) })
    }
  })

  it('has a shell line that elects, works and completes', async () => {
    const line = blocks('sh').find((block) => block.startsWith('gone elect')) ?? ''
    const { stdout } = await run('sh', ['-c', line], { env: await withGone(), cwd: folder })
    expect(stdout).toContain('sent')
    expect((await fetch(`${server.url}/api/v1/completed/report/2026-11-22-0800`)).status).toBe(200)
  })

  it('has TypeScript that runs', async () => {
    const code = blocks('ts').find((block) => block.includes('createClient')) ?? ''
    const program = code
      .replace("from 'gone'", `from ${JSON.stringify(join(ROOT, 'src/index.ts'))}`)
      .replaceAll(WRITTEN_FOR, server.url)
      .replaceAll('2026-11-22-0800', '2026-11-22-0900')
    const file = join(folder, 'program.mts')
    await writeFile(file, program)
    const { stdout } = await run(process.execPath, ['--import', import.meta.resolve('tsx'), file])
    expect(stdout).toMatch(/^I lead, under fence \d+\n$/)
  })

  it('has a worker that loads and runs', async () => {
    const code = blocks('ts').find((block) => block.includes('defineWorker')) ?? ''
    const program = code.replace("from 'gone'", `from ${JSON.stringify(join(ROOT, 'src/index.ts'))}`)
    await mkdir(join(folder, 'workers'))
    await writeFile(join(folder, 'workers/mailer.ts'), program)
    await startTestWorkersIn(join(folder, 'workers'))
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
    expect(named.filter((name) => name !== 'ci' && name !== 'run' && !((name as string) in scripts))).toEqual(
      [],
    )
  })

  it('lists every setting with its default', () => {
    const rows = SETTINGS.map(
      ({ name, fallback, about }) => `| \`${name}\` | ${fallback && `\`${fallback}\``} | ${about} |`,
    )
    expect(tableAfter('settings')).toEqual(['| variable | default | what |', '|---|---|---|', ...rows])
  })

  it('lists every error code with what it means', () => {
    const rows = Object.entries(ERROR_CODES).map(
      ([code, { status, retryable, title }]) =>
        `| \`${code}\` | ${status || ''} | ${retryable ? 'yes' : 'no'} | ${title} |`,
    )
    expect(tableAfter('errors')).toEqual([
      '| code | status | retryable | means |',
      '|---|---|---|---|',
      ...rows,
    ])
  })
})

/** The table that follows a marker, line by line. */
function tableAfter(marker: string): string[] {
  const text = readme.split(`<!-- ${marker} -->\n\n`)[1] ?? ''
  return (/^(?:\|.*\n)+/.exec(text)?.[0] ?? '').trimEnd().split('\n')
}
