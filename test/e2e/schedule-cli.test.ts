import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text as textOf } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { createClient } from '../../src/index.ts'
import { runCli, spawnCli } from '../support/cli.ts'
import { endOf, type Run } from '../support/processes.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

const COMMANDS = ['set', 'get', 'list', 'next', 'pause', 'resume', 'trigger', 'backfill', 'remove', 'apply']

let server: TestServer
let folder: string
let systems = 0

beforeAll(async () => {
  server = await startTestServer()
  folder = await mkdtemp(join(tmpdir(), 'gone-schedules-'))
})

afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

/** A system of this test alone. */
const newSystem = () => `system-${systems++}`
const gone = (...args: string[]) => runCli(['schedule', ...args], { GONE_URL: server.url })
const ended = (code: number, stdout: RegExp | string): Run => ({
  code,
  stdout: typeof stdout === 'string' ? stdout : expect.stringMatching(stdout),
  stderr: '',
})
const failed = (stderr: RegExp): Run => ({
  code: 2,
  stdout: '',
  stderr: expect.stringMatching(stderr),
})

/** A schedule file of this test alone. */
async function fileOf(text: string): Promise<string> {
  const path = join(folder, `${systems++}.yaml`)
  await writeFile(path, text)
  return path
}

/** The server, but for one path, which it finds fault with. */
async function startPickyServer(path: string): Promise<{ readonly url: string }> {
  const detail = 'every: expected more patience'
  const problem = { title: 'no', status: 400, detail, code: 'INVALID_BODY', retryable: false }
  const picky = createServer(async (request, response) => {
    const isRefused = request.method === 'PUT' && request.url?.endsWith(path)
    const { method = 'GET', headers } = request
    const body = method === 'GET' ? undefined : await textOf(request)
    const answer = isRefused
      ? new Response(JSON.stringify(problem), { status: 400 })
      : await fetch(`${server.url}${request.url}`, {
          method,
          headers: { 'content-type': headers['content-type'] ?? '' },
          ...(body && { body }),
        })
    response.writeHead(answer.status).end(await answer.text())
  })
  await once(picky.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => {
    picky.close()
  })
  return { url: `http://127.0.0.1:${(picky.address() as AddressInfo).port}` }
}

const NIGHTLY = ['--cron', '0 2 * * *', '--tz', 'Europe/Berlin', '--worker', 'hello']

describe('gone schedule', () => {
  it('sets a schedule, and says what it changes', async () => {
    const system = newSystem()
    const next = 'next run \\d{4}-\\d\\d-\\d\\d 02:00 \\+0[12] \\(0[01]:00 UTC\\)'
    expect(await gone('set', system, 'nightly', ...NIGHTLY)).toEqual(
      ended(0, new RegExp(`^made ${system}/nightly, ${next}\\n$`)),
    )
    expect(await gone('set', system, 'nightly', ...NIGHTLY)).toEqual(
      ended(0, new RegExp(`^unchanged: ${system}/nightly, ${next}\\n$`)),
    )
    expect(await gone('set', system, 'nightly', ...NIGHTLY, '--attempts', '3', '--overlap', 'skip')).toEqual(
      ended(
        0,
        new RegExp(
          `^changed ${system}/nightly, ${next}\\n {2}overlap: "allow" -> "skip"\\n {2}job.attempts: none -> 3\\n$`,
        ),
      ),
    )
  })

  it('sets every term that there is', async () => {
    const system = newSystem()
    const { stdout } = await gone(
      ...['set', system, 'all', '--every', '90s', '--tz', 'Asia/Tokyo', '--dst-gap', 'skip'],
      ...['--dst-overlap', 'both', '--jitter', '5s', '--catch-up', '2h', '--catch-up-max', '3'],
      ...['--overlap', 'queue', '--start-at', '2030-01-01T00:00:00Z', '--end-at', '2031-01-01T00:00:00Z'],
      ...['--worker', 'hello', '--data', '{"names":["Ada"]}', '--attempts', '3', '--backoff', 'fixed:10s'],
      ...['--job-timeout', '30s', '--priority', '1', '--deadline', '10m', '--if-executor-dies', 'fail'],
      ...['--grace', '5m', '--json'],
    )
    expect(JSON.parse(stdout)).toMatchObject({
      every: '90s',
      tz: 'Asia/Tokyo',
      dst: { gap: 'skip', overlap: 'both' },
      jitter: '5s',
      catchUp: { window: '2h', max: 3 },
      overlap: 'queue',
      startAt: '2030-01-01T00:00:00Z',
      endAt: '2031-01-01T00:00:00Z',
      job: {
        worker: 'hello',
        data: { names: ['Ada'] },
        attempts: 3,
        backoff: { type: 'fixed', delay: '10s' },
        timeout: '30s',
        priority: 1,
        deadline: '10m',
        ifExecutorDies: 'fail',
      },
      expect: { grace: '5m' },
    })
  })

  it('shows one, all of a system and what comes next, within 80 columns', async () => {
    const system = newSystem()
    await gone('set', system, 'nightly', ...NIGHTLY)
    await gone('set', system, 'new-year', '--at', '2099-01-01T00:00:00Z')
    const got = await gone('get', system, 'nightly')
    expect(got).toEqual(
      ended(0, new RegExp(`^${system}/nightly\\n {2}when {3}0 2 \\* \\* \\* in Europe/Berlin\\n`)),
    )
    const listed = await gone('list', system)
    expect(listed).toEqual(
      ended(
        0,
        new RegExp(
          `^schedule +when +next run, local +in UTC\\n${system}/new-year +once +2099-01-01 00:00 \\+00 +2099-01-01 00:00\\n` +
            `${system}/nightly +0 2 \\* \\* \\* +\\d{4}-\\d\\d-\\d\\d 02:00 \\+0[12] +\\d{4}-\\d\\d-\\d\\d 0[01]:00\\n$`,
        ),
      ),
    )
    const next = await gone('next', system, 'nightly', '-n', '3')
    expect(next.stdout.split('\n')).toHaveLength(5)
    expect(next.stdout).toMatch(
      /^local +in UTC +round\n[A-Z][a-z]{2} \S+ 02:00 \+0[12] {2}\S+ 0[01]:00 {2}nightly@\S+T02:00:00\+0[12]:00\n/,
    )
    for (const { stdout } of [got, listed, next])
      expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80)
    expect(JSON.parse((await gone('list', system, '--json')).stdout)).toHaveLength(2)
    expect(JSON.parse((await gone('get', system, 'nightly', '--json')).stdout)).toMatchObject({ system })
    expect(JSON.parse((await gone('next', system, 'nightly', '--json')).stdout).slots).toHaveLength(10)
    expect(await gone('list', 'nobody')).toEqual(ended(0, 'nobody has no schedules\n'))
  })

  it('shows how the last run is, or ended', async () => {
    const system = newSystem()
    const client = createClient({ url: server.url })
    await gone('set', system, 'often', '--every', '1s', '--worker', 'nobody')
    await gone('set', system, 'new-year', '--at', '2099-01-01T00:00:00Z')
    const last = async () => (await client.schedules.get(system, 'often'))?.last?.round ?? ''
    await expect.poll(last).not.toBe('')
    await gone('pause', system, 'often')
    const row = async () =>
      (await gone('list', system)).stdout.split('\n').find((line) => line.includes('often'))
    expect((await gone('list', system)).stdout).toMatch(
      /^schedule +when +next run, local +in UTC +last run\n/,
    )
    expect(await row()).toMatch(/paused +submitted$/)
    await client.fail(system, await last(), { reason: 'disk full' })
    expect(await row()).toMatch(/paused +failed$/)
    const got = await gone('get', system, 'often')
    expect(got.stdout).toMatch(
      /\n {2}last +often@\S+, submitted \d+\.\d s after its time\n +failed by \S+ .*: disk full\n/,
    )
    expect(JSON.parse((await gone('get', system, 'often', '--json')).stdout).last).toMatchObject({
      state: 'failed',
    })
  })

  it('pauses, resumes and removes', async () => {
    const system = newSystem()
    await gone('set', system, 'nightly', ...NIGHTLY)
    expect(await gone('pause', system, 'nightly')).toEqual(ended(0, `paused ${system}/nightly\n`))
    expect((await gone('list', system)).stdout).toMatch(/ {2}paused\n$/)
    expect((await gone('next', system, 'nightly')).stdout).toMatch(
      /\npaused: none of these comes before .*\n$/,
    )
    expect(await gone('resume', system, 'nightly')).toEqual(ended(0, /^resumed \S+, next run /))
    expect(await gone('remove', system, 'nightly')).toEqual(ended(0, `removed ${system}/nightly\n`))
    expect(await gone('remove', system, 'nightly')).toEqual(ended(1, /: there is no such schedule\n$/))
  })

  it('runs one now, and slots that have passed', async () => {
    const system = newSystem()
    await gone('set', system, 'nightly', ...NIGHTLY)
    expect(await gone('trigger', system, 'nightly', '--id', 'deploy-7')).toEqual(
      ended(0, `submitted ${system} nightly+deploy-7\n`),
    )
    const time = ['--from', '2026-10-24T00:00:00Z', '--to', '2026-10-26T12:00:00Z']
    expect(await gone('backfill', system, 'nightly', ...time, '--max', '2')).toEqual(
      ended(
        0,
        '+ nightly@2026-10-24T02:00:00+02:00\n+ nightly@2026-10-25T02:00:00+02:00\n2 of 2 submitted\n' +
          'there are more slots: go on with --from 2026-10-26T01:00:00Z\n',
      ),
    )
    expect(await gone('backfill', system, 'nightly', ...time)).toEqual(
      ended(
        0,
        '  nightly@2026-10-24T02:00:00+02:00: was submitted before\n' +
          '  nightly@2026-10-25T02:00:00+02:00: was submitted before\n+ nightly@2026-10-26T02:00:00+01:00\n' +
          '1 of 3 submitted\n',
      ),
    )
  })

  it.each(['get', 'next', 'pause', 'resume', 'trigger', 'remove'])(
    'exits 1 where there is no such schedule: %s',
    async (command) => {
      const system = newSystem()
      const run = await gone(command, system, 'x')
      expect(run).toEqual(ended(1, new RegExp(`^${system}/x: there is no such schedule\\n$`)))
      const json = await gone(command, system, 'x', '--json')
      expect(json).toMatchObject({ code: 1, stderr: '' })
      JSON.parse(json.stdout)
    },
  )

  it.each([
    ['no time', ['set', 'a', 'b'], /^gone: cron, every, at: expected exactly one of them, got none\n$/],
    [
      'a bad expression',
      ['set', 'a', 'b', '--cron', 'x'],
      /^gone: cron: expected a cron expression.*"x".*\n$/,
    ],
    [
      'a bad policy',
      ['set', 'a', 'b', '--overlap', 'x'],
      /^gone: option '--overlap .*allow, skip, queue.*\n$/,
    ],
    ['a bad backoff', ['set', 'a', 'b', '--backoff', '5s'], /^gone: option '--backoff .*fixed:10s.*\n$/],
    ['a bad name', ['set', 'a', 'b/c', '--every', '1h'], /^gone: name: must not contain "\/", got "b\/c"\n$/],
    ['no name', ['get', 'a'], /^gone: missing required argument 'name' \(see --help\)\n$/],
    ['a bad number', ['next', 'a', 'b', '-n', 'x'], /^gone: option '-n.*expected an integer.*\n$/],
    [
      'a time without a zone',
      ['set', 'a', 'b', '--at', '2030-01-01'],
      /^gone: at: expected an RFC 3339 time with its zone.*, got "2030-01-01"\n$/,
    ],
    ['a backfill of nothing', ['backfill', 'a', 'b'], /^gone: required option '--from <time>'.*\n$/],
    ['an unknown command', ['lst'], /^gone: unknown command 'lst' \(Did you mean list\?\).*\n$/],
    ['no file', ['apply', 'nowhere.yaml'], /^gone: nowhere\.yaml: no such file\n$/],
  ])('exits 2 with one line that says what to do: %s', async (_, args, stderr) => {
    expect(await gone(...args)).toEqual(failed(stderr))
  })

  it('exits 2 when the server is down', async () => {
    const down = await startTestServer({ redis: server.redis })
    await down.stop()
    const run = await runCli(['schedule', 'list', '--server', down.url, '--timeout', '1500ms'])
    expect(run).toEqual(failed(/^gone: cannot reach the gone server at .*: connection refused; start one/))
  })

  it.each(COMMANDS)('has help with examples and exit codes: %s', async (command) => {
    const { code, stdout, stderr } = await runCli(['schedule', command, '--help'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(new RegExp(`Examples:\\n  \\$ gone schedule ${command}`))
    expect(stdout).toMatch(/Exit codes:\n {2}0 {2}\S.*\n(?: {2}1 {2}\S.*\n)? {2}2 {2}could not/)
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(94)
  })
})

describe('gone schedule apply', () => {
  const document = (system: string, nightly = '0 2 * * *') =>
    `system: ${system}\nschedules:\n  nightly: { cron: "${nightly}", tz: Europe/Berlin, job: { worker: hello } }\n` +
    '  sweep: { every: 15m, job: { worker: hello } }\n'

  it('makes the file true, once', async () => {
    const system = newSystem()
    const path = await fileOf(document(system))
    const steps =
      `+ ${system}/nightly: 0 2 * * * in Europe/Berlin, hello\n` + `+ ${system}/sweep: every 15m, hello\n`
    expect(await gone('apply', path, '--dry-run')).toEqual(
      ended(1, `${steps}2 to add; nothing changed by --dry-run\n`),
    )
    expect(await gone('list', system)).toEqual(ended(0, `${system} has no schedules\n`))
    expect(await gone('apply', path)).toEqual(ended(0, `${steps}2 added\n`))
    for (const args of [[], ['--dry-run'], ['--prune']])
      expect(await gone('apply', path, ...args)).toEqual(ended(0, 'nothing to change\n'))
  })

  it('changes what differs, and leaves the rest untouched', async () => {
    const system = newSystem()
    await gone('apply', await fileOf(document(system)))
    const before = JSON.parse((await gone('get', system, 'sweep', '--json')).stdout)
    expect(await gone('apply', await fileOf(document(system, '0 3 * * *')))).toEqual(
      ended(0, `~ ${system}/nightly\n    cron: "0 2 * * *" -> "0 3 * * *"\n1 changed\n`),
    )
    const after = JSON.parse((await gone('get', system, 'sweep', '--json')).stdout)
    expect(after.updatedAt).toBe(before.updatedAt)
  })

  it('removes only with --prune, and only in the systems of the file', async () => {
    const [system, other] = [newSystem(), newSystem()]
    const path = await fileOf(document(system))
    await gone('apply', path)
    for (const place of [system, other]) await gone('set', place, 'old', '--every', '1h')
    expect(await gone('apply', path)).toEqual(
      ended(0, `  ${system}/old: kept, not in the file\nnothing to change; 1 kept (--prune removes it)\n`),
    )
    expect(await gone('apply', path, '--prune', '--dry-run')).toEqual(
      ended(1, `- ${system}/old\n1 to remove; nothing changed by --dry-run\n`),
    )
    expect(await gone('apply', path, '--prune')).toEqual(ended(0, `- ${system}/old\n1 removed\n`))
    expect((await gone('list', system)).stdout).not.toContain('old')
    expect((await gone('list', other)).stdout).toContain('old')
  })

  it('applies nothing of a file with a mistake', async () => {
    const system = newSystem()
    const path = await fileOf(`${document(system)}  typo: { every: 1h, tz: Europe/Brelin }\n`)
    expect(await gone('apply', path)).toEqual(
      failed(new RegExp(`^gone: ${path}:5: ${system}/typo: tz: expected a time zone .*"Europe/Brelin"\n$`)),
    )
    expect(await gone('list', system)).toEqual(ended(0, `${system} has no schedules\n`))
  })

  it('reads several systems from stdin, and speaks JSON', async () => {
    const [one, two] = [newSystem(), newSystem()]
    const text = `${document(one)}---\n${document(two)}`
    const child = spawnCli(['schedule', 'apply', '-', '--json'], { GONE_URL: server.url }, { stdin: text })
    const { code, stdout } = await endOf(child)
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toEqual({
      isDryRun: false,
      steps: [one, two].flatMap((system) => [
        { kind: 'added', system, name: 'nightly' },
        { kind: 'added', system, name: 'sweep' },
      ]),
    })
  })

  it('shows what it has done before an error, and goes on the next time', async () => {
    const system = newSystem()
    const picky = await startPickyServer(`/${system}/late`)
    const names = Array.from({ length: 20 }, (_, index) => `  s${index}: { every: 1h }`)
    const path = await fileOf(`system: ${system}\nschedules:\n${names.join('\n')}\n  late:\n    every: 1h\n`)
    const run = await runCli(['schedule', 'apply', path], { GONE_URL: picky.url })
    expect(run.code).toBe(2)
    expect(run.stderr).toBe(`gone: ${path}:24: ${system}/late: every: expected more patience\n`)
    expect(run.stdout).toMatch(new RegExp(`^\\+ ${system}/s\\d+: every 1h, ${system}\n`))
    const done = run.stdout.trimEnd().split('\n').length
    expect((await gone('apply', path)).stdout).toMatch(new RegExp(`\n${21 - done} added\n$`))
  })

  it('applies a thousand schedules', async () => {
    const system = newSystem()
    const lines = Array.from({ length: 1_000 }, (_, index) => `  s${index}: { every: 1h }`)
    const path = await fileOf(`system: ${system}\nschedules:\n${lines.join('\n')}\n`)
    expect((await gone('apply', path)).stdout).toMatch(/\n1000 added\n$/)
    expect(await gone('apply', path)).toEqual(ended(0, 'nothing to change\n'))
    expect((await gone('list', system)).stdout.split('\n')).toHaveLength(1_002)
    await gone('apply', await fileOf(`system: ${system}\nschedules: {}\n`), '--prune')
    expect(await gone('list', system)).toEqual(ended(0, `${system} has no schedules\n`))
  })
})
