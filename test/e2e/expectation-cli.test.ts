import { beforeAll, describe, expect, it } from 'vitest'
import { runCli } from '../support/cli.ts'
import type { Run } from '../support/processes.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let server: TestServer
let systems = 0

beforeAll(async () => {
  server = await startTestServer()
})

/** A system of this test alone. */
const newSystem = () => `system-${systems++}`
const gone = (...args: string[]) => runCli(args, { GONE_URL: server.url })
const expectation = (...args: string[]) => gone('expectation', ...args)
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

const DAILY = ['--cron', '0 8 * * MON-FRI', '--tz', 'Europe/Berlin', '--grace', '5m']

describe('gone expectation', () => {
  it('sets an expectation, and says what it changes', async () => {
    const system = newSystem()
    const terms = '0 8 * * MON-FRI in Europe/Berlin, within 5m'
    expect(await expectation('set', system, 'daily', ...DAILY)).toEqual(
      ended(0, `made ${system}/daily, ${terms}\n`),
    )
    expect(await expectation('set', system, 'daily', ...DAILY)).toEqual(
      ended(0, `unchanged: ${system}/daily, ${terms}\n`),
    )
    const more = ['--late', '1m', '--replicas', '3', '--dst-gap', 'skip']
    expect(await expectation('set', system, 'daily', ...DAILY, ...more)).toEqual(
      ended(
        0,
        `changed ${system}/daily, ${terms}, late after 1m, by 3 candidates\n` +
          '  dst.gap: "run-after" -> "skip"\n  late: none -> "1m"\n  replicas: none -> 3\n',
      ),
    )
    const set = await expectation('set', system, 'hourly', '--every', '1h', '--grace', '90s', '--json')
    expect(JSON.parse(set.stdout)).toMatchObject({ system, name: 'hourly', every: '1h', grace: '90s' })
  })

  it('shows one, and all of a system, within 80 columns', async () => {
    const system = newSystem()
    await expectation('set', system, 'daily', ...DAILY, '--late', '1m', '--replicas', '3')
    await expectation('set', system, 'hourly', '--every', '1h', '--grace', '5m')
    const got = await expectation('get', system, 'daily')
    expect(got).toEqual(
      ended(
        0,
        new RegExp(
          `^${system}/daily\\n {2}when {6}0 8 \\* \\* MON-FRI in Europe/Berlin\\n {2}grace {5}5m\\n` +
            ' {2}late {6}after 1m\\n {2}replicas {2}3\\n {2}made {6}\\S+Z\\n$',
        ),
      ),
    )
    const listed = await expectation('list', system)
    expect(listed.stdout.split('\n').map((line) => line.replace(/ {2,}/g, '  '))).toEqual([
      'expectation  when  zone  grace  late  replicas',
      `${system}/daily  0 8 * * MON-FRI  Europe/Berlin  5m  1m  3`,
      `${system}/hourly  every 1h  UTC  5m`,
      '',
    ])
    expect(Math.max(...listed.stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80)
    expect(JSON.parse((await expectation('list', system, '--json')).stdout)).toHaveLength(2)
    expect(JSON.parse((await expectation('get', system, 'daily', '--json')).stdout)).toMatchObject({
      system,
      replicas: 3,
    })
    expect(await expectation('list', 'nobody')).toEqual(ended(0, 'nobody has no expectations\n'))
  })

  it('brings the alerts that gone alerts shows, and takes them away', async () => {
    const system = newSystem()
    expect(await gone('alerts', system)).toEqual(ended(0, 'no alerts\n'))
    expect(await gone('alerts', system, '--state', 'open', '--json')).toEqual(ended(0, '[]\n'))
    await expectation('set', system, 'cron', '--every', '1s', '--grace', '1s')
    await expect
      .poll(async () => (await gone('alerts', system, '--state', 'open')).stdout, {
        timeout: 30_000,
        interval: 500,
      })
      .toMatch(
        new RegExp(
          `^state +kind +of +slots +last slot\\nopen +missed +${system}/cron +\\d+ +\\S+\\n {2}no round came within 1 s\\n$`,
        ),
      )
    expect(await expectation('remove', system, 'cron')).toEqual(ended(0, `removed ${system}/cron\n`))
    expect(await gone('alerts', system)).toEqual(
      ended(0, /^state .*\nresolved +missed .*\n.*\n {2}resolved: the expectation was removed\n$/),
    )
    expect(await expectation('remove', system, 'cron', '--json')).toEqual(ended(1, '{"removed":false}\n'))
  })

  it.each(['get', 'remove'])('exits 1 where there is no such expectation: %s', async (command) => {
    const system = newSystem()
    expect(await expectation(command, system, 'x')).toEqual(
      ended(1, `${system}/x: there is no such expectation\n`),
    )
  })

  it.each([
    [
      'no time',
      ['set', 'a', 'b', '--grace', '5m'],
      /^gone: cron, every: expected exactly one of them, got none\n$/,
    ],
    ['no grace', ['set', 'a', 'b', '--every', '1h'], /^gone: required option '--grace <duration>'.*\n$/],
    [
      'a grace that is none',
      ['set', 'a', 'b', '--every', '1h', '--grace', 'x'],
      /^gone: grace: expected .*"x"\n$/,
    ],
    [
      'a bad number',
      ['set', 'a', 'b', '--every', '1h', '--grace', '5m', '--replicas', 'x'],
      /^gone: option '--replicas.*expected an integer.*\n$/,
    ],
    ['a bad name', ['get', 'a', '..'], /^gone: name: expected a name, got "\.\."\n$/],
    ['no name', ['remove', 'a'], /^gone: missing required argument 'name' \(see --help\)\n$/],
  ])('exits 2 with one line that says what to do: %s', async (_, args, stderr) => {
    expect(await expectation(...args)).toEqual(failed(stderr))
  })

  it('exits 2 when the server is down', async () => {
    const down = await startTestServer({ redis: server.redis })
    await down.stop()
    const run = await runCli(['expectation', 'list', '--server', down.url, '--timeout', '1500ms'])
    expect(run).toEqual(failed(/^gone: cannot reach the gone server at .*: connection refused; start one/))
  })

  it.each(['set', 'get', 'list', 'remove'])('has help with examples and exit codes: %s', async (command) => {
    const { code, stdout, stderr } = await expectation(command, '--help')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(new RegExp(`Examples:\\n  \\$ gone expectation ${command}`))
    expect(stdout).toMatch(/Exit codes:\n {2}0 {2}\S.*\n(?: {2}1 {2}\S.*\n)? {2}2 {2}could not/)
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(94)
  })
})

it('gone alerts exits 2 for what it does not understand', async () => {
  expect(await gone('alerts', '--state', 'x')).toEqual(failed(/^gone: option '--state .*open, resolved.*\n$/))
})
