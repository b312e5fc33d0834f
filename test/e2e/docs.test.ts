import { type ChildProcess, execFile } from 'node:child_process'
import { createHash, createHmac } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { AlertNewsJson, ExpectationJson } from '../../src/core/alerts/alert-wire.ts'
import type { ScheduleJson } from '../../src/core/schedules/schedule-wire.ts'
import { spawnProcess } from '../support/processes.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { blocksOf, putGoneIn, ROOT, runnable } from '../support/snippets.ts'

const run = promisify(execFile)
const SECRET = 'a-secret-of-this-test'

let schedules: string
let alerts: string
let folder: string
let receiver: Running
let receiverUrl: string
let server: TestServer
let env: NodeJS.ProcessEnv
let programs = 0
const children: ChildProcess[] = []

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gone-docs-'))
  schedules = await readFile(join(ROOT, 'docs/schedules.md'), 'utf8')
  alerts = await readFile(join(ROOT, 'docs/alerts.md'), 'utf8')
  receiver = await startReceiver()
  receiverUrl = `http://127.0.0.1:${receiver.output().trim()}`
  server = await startTestServer({ env: { GONE_ALERT_URL: receiverUrl, GONE_ALERT_SECRET: SECRET } })
  env = await putGoneIn(folder, server.url)
})

afterAll(async () => {
  for (const child of children) {
    if (child.exitCode !== null || child.signalCode !== null) continue
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  await rm(folder, { recursive: true, force: true })
})

interface Running {
  readonly child: ChildProcess
  /** What it has printed so far. */
  output(): string
}

/** A program that a document shows; it ends with the test file. */
async function start(code: string, more: Readonly<Record<string, string>> = {}): Promise<Running> {
  const file = join(folder, `program-${programs++}.mts`)
  await writeFile(file, code)
  const child = spawnProcess({ args: ['--import', import.meta.resolve('tsx'), file], env: more })
  children.push(child)
  let text = ''
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk) => {
      text += chunk
    })
  return { child, output: () => text }
}

/** The receiver of docs/alerts.md, on a free port, which is the first line that it prints. */
async function startReceiver(): Promise<Running> {
  const [code = ''] = blocksOf(alerts, 'js')
  const onAnyPort = code
    .replace('.listen(9000)', '.listen(0, "127.0.0.1", function () { console.log(this.address().port) })')
    .replace("'alerts.example.com'", '"127.0.0.1:" + request.socket.localPort')
  const running = await start(runnable(onAnyPort, ''), { GONE_ALERT_SECRET: SECRET })
  await vi.waitFor(() => expect(running.output()).toMatch(/^\d+\n$/), { timeout: 30_000 })
  return running
}

/** The document's one block of the language that has this in it. */
function blockWith(document: string, language: string, part: string): string {
  const found = blocksOf(document, language).filter((block) => block.includes(part))
  expect(found).toHaveLength(1)
  return runnable(found[0] ?? '', server.url)
}

async function shell(code: string): Promise<string> {
  return (await run('sh', ['-ec', code], { env, cwd: folder, timeout: 30_000 })).stdout
}

async function ranToItsEnd(code: string): Promise<string> {
  const { child, output } = await start(code)
  const [exitCode] = await once(child, 'exit')
  expect({ exitCode, output: output() }).toMatchObject({ exitCode: 0 })
  return output()
}

/** As workers/README.md says in words. */
function signed(body: string, url = receiverUrl): RequestInit {
  const timestamp = String(Math.floor(Date.now() / 1_000))
  const digest = createHash('sha256').update(body).digest('hex')
  const lines = ['v2', timestamp, 'POST', new URL(url).host, '/', '', '', '', digest]
  const signature = createHmac('sha256', SECRET).update(lines.join('\n')).digest('hex')
  const headers = { 'gone-timestamp': timestamp, 'gone-signature-2': `v2=${signature}` }
  return { method: 'POST', body, headers }
}

async function read<Json>(path: string): Promise<Json> {
  return (await fetch(`${server.url}/api/v1/${path}`)).json() as Promise<Json>
}

async function roundsOf(system: string): Promise<string[]> {
  const { rounds } = await read<{ rounds: { round: string }[] }>(`rounds?system=${system}`)
  return rounds.map(({ round }) => round)
}

describe('docs/schedules.md', () => {
  it('has no snippet that is not run here', () => {
    expect(blocksOf(schedules, 'sh')).toHaveLength(1)
    expect(blocksOf(schedules, 'yaml')).toHaveLength(1)
    expect(blocksOf(schedules, 'ts')).toHaveLength(3)
    expect(blocksOf(schedules, '(?:js|json|console)')).toEqual([])
  })

  it('has a request that makes the schedule it names', async () => {
    const made = JSON.parse(await shell(blockWith(schedules, 'sh', 'curl'))) as ScheduleJson
    expect(made).toMatchObject({ system: 'reports', name: 'daily', job: { data: { names: ['Ada'] } } })
    expect(made.next?.round).toMatch(/^daily@\d{4}-\d\d-\d\dT08:00:00\+0[12]:00$/)
  })

  it('has a file that is applied, and then is true', async () => {
    await writeFile(join(folder, 'schedules.yaml'), blocksOf(schedules, 'yaml')[0] ?? '')
    expect(await shell('gone schedule apply schedules.yaml')).toBe(
      '+ cleaner/nightly: 0 2 * * * in Europe/Berlin, hello\n' +
        '+ cleaner/sweep: every 15m, hello {"names":["Ada"]}\n2 added\n',
    )
    expect(await shell('gone schedule apply schedules.yaml --dry-run')).toBe('nothing to change\n')
  })

  it('has TypeScript that makes a schedule and makes up for a week', async () => {
    await ranToItsEnd(blockWith(schedules, 'ts', 'schedules.put('))
    const schedule = await read<ScheduleJson>('schedules/cleaner/nightly')
    expect(schedule).toMatchObject({ overlap: 'skip', job: { worker: 'hello', data: { names: ['Ada'] } } })
    const rounds = (await roundsOf('cleaner')).filter((round) => !round.startsWith('sweep@'))
    // A week has a night more or less where clocks are set in it.
    expect(rounds.length).toBeGreaterThanOrEqual(6)
    for (const round of rounds) expect(round).toMatch(/^nightly@\d{4}-\d\d-\d\dT02:00:00\+0[12]:00$/)
  })

  /** Each second in place of each morning. */
  const everySecond = (code: string) => code.replace(/'0 8 \* \* \S+'/, "'* * * * * *'")
  const SEND_REPORT = 'const sendReport = (slot) => console.log("sent", slot)\n'

  it('has a cron of its own that runs each slot, and stops', async () => {
    const code = blockWith(schedules, 'ts', 'every(')
    const { child, output } = await start(SEND_REPORT + everySecond(code))
    await expect.poll(output, { timeout: 30_000 }).toMatch(/^sent \d{4}-\d\d-\d\dT\S+\+0[12]:00\n/)
    child.kill('SIGTERM')
    expect(await once(child, 'exit')).toEqual([0, null])
  })

  it('has a coordinator for node-cron', async () => {
    const code = blockWith(schedules, 'ts', 'nodeCronCoordinator')
    const { output } = await start(SEND_REPORT + everySecond(code))
    await expect.poll(output, { timeout: 30_000 }).toMatch(/^sent /)
    expect(await roundsOf('reports')).toContainEqual(expect.stringMatching(/^daily:\d{4}-\S+Z$/))
  })
})

describe('docs/alerts.md', () => {
  it('has no snippet that is not run here', () => {
    expect(blocksOf(alerts, 'sh')).toHaveLength(2)
    expect(blocksOf(alerts, 'ts')).toHaveLength(1)
    expect(blocksOf(alerts, 'js')).toHaveLength(1)
    expect(blocksOf(alerts, 'json')).toHaveLength(1)
    expect(blocksOf(alerts, '(?:yaml|console)')).toEqual([])
  })

  it('expects the same from the shell, from TypeScript and over HTTP', async () => {
    expect(await shell(blockWith(alerts, 'sh', 'gone expectation set'))).toBe(
      'made report/daily, 0 8 * * MON-FRI in Europe/Berlin, within 5m, late after 1m, by 3 candidates\n',
    )
    const { now: _, ...made } = await read<ExpectationJson>('expectations/report/daily')
    expect(await ranToItsEnd(blockWith(alerts, 'ts', 'expectations.put('))).toBe('daily within 5m\n')
    const put = JSON.parse(await shell(blockWith(alerts, 'sh', 'curl'))) as ExpectationJson
    // The same again changes nothing, not even when it was updated.
    expect(put).toMatchObject(made)
  })

  it('has a receiver that takes what is signed, and says it once', async () => {
    await shell('gone expectation set shop tick --every 1s --grace 1s')
    await expect
      .poll(receiver.output, { timeout: 30_000 })
      .toMatch(/^\d+\nopened: shop\/tick missed: no round came within 1 s\n/)
    const before = receiver.output()
    expect((await fetch(receiverUrl, { method: 'POST', body: '{}' })).status).toBe(401)
    const body = JSON.stringify({
      id: 'again',
      event: 'opened',
      alert: { system: 'shop', name: 'x', kind: 'late', detail: 'why' },
    })
    for (const _ of [1, 2]) expect((await fetch(receiverUrl, signed(body))).status).toBe(204)
    const forAnother = signed(body, 'http://alerts.example.org/')
    expect((await fetch(receiverUrl, forAnother)).status).toBe(401)
    const heard = `${before}opened: shop/x late: why\n`
    await expect.poll(receiver.output).toBe(heard)
    await shell('gone expectation remove shop tick')
    await expect.poll(receiver.output).toBe(`${heard}resolved: shop/tick missed: no round came within 1 s\n`)
  })

  it('shows the body of a webhook with the members that it has', async () => {
    const shown = JSON.parse(blocksOf(alerts, 'json')[0] ?? '') as AlertNewsJson
    const { alerts: all } = await read<{ alerts: object[] }>('alerts?system=shop')
    const { resolvedAt: _, resolution: __, ...opened } = all[0] as Record<string, unknown>
    expect(Object.keys(shown.alert).sort()).toEqual(Object.keys(opened).sort())
  })
})
