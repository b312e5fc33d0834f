import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createClient, type GoneClient } from '../../src/index.ts'
import { readCrontab } from '../support/crontab.ts'
import { endOf, spawnProcess } from '../support/processes.ts'
import { builtPath } from '../support/program.ts'
import { startWorkProcess } from '../support/serve-process.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { blocksOf, putGoneIn, ROOT, runnable } from '../support/snippets.ts'

const run = promisify(execFile)

let page: string
let folder: string
let server: TestServer
let client: GoneClient
let env: NodeJS.ProcessEnv
const closers: (() => unknown)[] = []

beforeAll(async () => {
  page = await readFile(join(ROOT, 'docs/migrate.md'), 'utf8')
  folder = await mkdtemp(join(tmpdir(), 'gone-migrate-'))
  server = await startTestServer()
  client = createClient({ url: server.url })
  env = await putGoneIn(folder, server.url)
  await writeFile(join(folder, 'send-report'), '#!/bin/sh\necho sent\n', { mode: 0o755 })
  // The same hour for all of them, also where one ends meanwhile.
  const date = '#!/bin/sh\nexec /bin/date -d 2026-11-22T08:00:00Z "$@"\n'
  await writeFile(join(folder, 'date'), date, { mode: 0o755 })
  const hello = await startWorkProcess(builtPath('workers'), { REDIS_URL: server.redis.url })
  closers.push(() => hello.kill())
})

afterAll(async () => {
  for (const close of closers) await close()
  await rm(folder, { recursive: true, force: true })
})

/** The one block of this language in this chapter, also in a list, or all of them that hold this. */
function linesOf(chapter: string, language: string, part = ''): string {
  const [, text = ''] = page.split(`\n## ${chapter}\n`)
  const own = (text.split('\n## ')[0] ?? '').replace(/^ {3}/gm, '')
  const found = blocksOf(own, language).filter((block) => block.includes(part))
  expect(found, chapter).not.toHaveLength(0)
  return runnable(found.join('\n'), server.url)
}

const shell = async (lines: string) => (await run('sh', ['-ec', lines], { env, cwd: folder })).stdout

/** TypeScript that the page shows, as a process. */
async function start(code: string): Promise<{ child: ChildProcess; said: () => string }> {
  const file = join(folder, `program-${closers.length}.mts`)
  await writeFile(file, code)
  const child = spawnProcess({ args: ['--import', import.meta.resolve('tsx'), file] })
  closers.push(() => child.kill('SIGKILL'))
  let text = ''
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk) => {
      text += chunk
    })
  return { child, said: () => text }
}

/** As cron would, to its end. */
async function byCron(crontab: string) {
  const { env: own, commands } = readCrontab(crontab)
  const [{ command, stdin } = { command: '', stdin: '' }] = commands
  const PATH = (own.PATH ?? '').replace('/usr/local/bin', folder)
  const child = spawn('/bin/sh', ['-c', command], {
    cwd: folder,
    env: { ...own, PATH, HOME: folder, LOGNAME: 'somebody' },
    stdio: 'pipe',
  })
  // A command need not read what cron gives it.
  child.stdin.on('error', () => {})
  child.stdin.end(stdin)
  return endOf(child)
}

describe('who comes from elsewhere', () => {
  it('finds no lines that are not run here', () => {
    const all = page.replace(/^ {3}/gm, '')
    expect([...all.matchAll(/^```(\w+)/gm)].map(([, language]) => language).sort()).toEqual(
      [...['crontab', 'crontab'], ...Array.from({ length: 7 }, () => 'sh'), 'ts', 'ts', 'ts'].sort(),
    )
  })

  it('keeps cron in each replica, and one of them sends the report', async () => {
    const code = `const sendReport = ({ slot }) => console.log('sent', slot)\n${linesOf('node-cron, croner, setInterval', 'ts')}`
    const often = code.replace("'0 8 * * *'", "'* * * * * *'")
    const replicas = await Promise.all([start(often), start(often)])
    const sent = () => replicas.flatMap(({ said }) => said().match(/sent \S+/g) ?? [])
    await expect.poll(() => sent().length, { timeout: 60_000 }).toBeGreaterThan(4)
    for (const { child } of replicas) child.kill('SIGKILL')
    expect(sent()).toEqual([...new Set(sent())])
    for (const { said } of replicas) expect(said().replace(/sent \S+\n/g, '')).toBe('')
  })

  it('keeps its crontab on each machine, and one of them sends the report', async () => {
    const crontab = linesOf('crontab and flock', 'crontab', 'gone once')
    const ends = await Promise.all([byCron(crontab), byCron(crontab), byCron(crontab)])
    // A loser says nothing: it would be mailed.
    expect(ends.map(({ stdout }) => stdout).sort()).toEqual(['', '', 'sent\n'])
    for (const end of ends) expect(end).toMatchObject({ code: 0, stderr: '' })
    const [round, ...more] = await client.rounds({ system: 'report' })
    expect(round).toMatchObject({ state: 'completed', round: '2026-11-22-08' })
    expect(more).toEqual([])

    // What the table warns of.
    const unescaped = await byCron(crontab.replaceAll('\\%', '%'))
    expect(unescaped.code).not.toBe(0)
    const withoutPath = await byCron(crontab.replace(/^PATH=.*$/m, ''))
    expect(withoutPath).toMatchObject({ code: 127, stderr: expect.stringContaining('not found') })
  })

  it('makes its schedules by the lines of the page', async () => {
    const chapters = ['crontab and flock', 'Dkron', 'Kubernetes CronJob']
    for (const chapter of chapters) {
      await shell(linesOf(chapter, 'sh'))
      const [made] = await client.schedules.list()
      expect(made, chapter).toMatchObject({ system: 'report', overlap: 'skip' })
      if (made) await client.schedules.remove(made.system, made.name)
    }
  })

  it('has a schedule and a worker in place of those of BullMQ', async () => {
    const program = await start(linesOf('BullMQ and Agenda schedulers', 'ts', 'schedules.put'))
    await new Promise((resolve) => program.child.once('exit', resolve))
    expect(program.said()).toBe('')
    await mkdir(join(folder, 'workers'))
    await writeFile(
      join(folder, 'workers/mailer.ts'),
      linesOf('BullMQ and Agenda schedulers', 'ts', 'defineWorker'),
    )
    const NODE_OPTIONS = `--import ${import.meta.resolve('tsx')}`
    const work = await startWorkProcess(join(folder, 'workers'), {
      REDIS_URL: server.redis.url,
      NODE_OPTIONS,
    })
    closers.push(() => work.kill())
    expect(
      await shell('gone schedule trigger mail daily --id now && gone completed mail daily+now --wait 30s'),
    ).toContain('{"sentTo":"all"}')
  })

  it('has a worker in Python in place of a task of Celery', async () => {
    const line = linesOf('Celery beat', 'sh').replace('examples/', join(ROOT, 'examples/'))
    const child = spawn('sh', ['-c', `exec env ${line}`], { cwd: folder, env, stdio: 'ignore' })
    closers.push(() => child.kill('SIGKILL'))
    expect(await client.submit('celery', 'one', { worker: 'report' })).toMatchObject({ isFirst: true })
    await expect
      .poll(async () => (await client.round('celery', 'one'))?.state, { timeout: 60_000 })
      .toBe('completed')
    child.kill('SIGTERM')
  })

  it('runs both for a week', async () => {
    const [make = '', compare = '', wrap = ''] = linesOf('Both for a week', 'sh').split('\n\n')
    expect(await shell(make)).toMatch(/^made report\/daily.*\n(?:.*\n)+$/)
    await shell('gone schedule trigger report daily --id now && gone completed report daily+now --wait 30s')
    expect(await shell(compare)).toMatch(/daily\+now[\s\S]*no alerts/)
    expect(await shell(`${wrap}\n${wrap}`)).toBe('sent\n')
    // Eight commands, of which each is a process.
  }, 300_000)
})
