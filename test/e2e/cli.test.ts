import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { runCli } from '../support/cli.ts'
import { makeKey } from '../support/keys.ts'
import type { Run } from '../support/processes.ts'
import { startRedis } from '../support/redis.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

const COMMANDS = ['elect', 'elected', 'complete', 'completed', 'fail', 'renew', 'cancel', 'retry']
const OTHERS = [
  'submit',
  'call',
  'serve',
  'work',
  'demo',
  'once',
  'ready',
  'doctor',
  'alerts',
  'rounds',
  'rounds list',
  'rounds show',
  'queues',
  'status',
  'schedule apply',
  'fleet shell',
  'expectation set',
  'completion bash',
  'completion zsh',
  'completion fish',
].concat(['key', 'key create', 'key list', 'key revoke', 'key sessions', 'key disable'])

let server: TestServer
let rounds = 0

beforeAll(async () => {
  server = await startTestServer()
})

const newRound = () => `round-${rounds++}`
const gone = (...args: string[]) => runCli(args, { GONE_URL: server.url })
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

const ADDRESS = '127\\.0\\.0\\.1:\\d+'

describe('gone elect', () => {
  it('exits 0 for exactly one of many, and 1 for the others, who are told by whom', async () => {
    const round = newRound()
    const runs = await Promise.all(Array.from({ length: 5 }, () => gone('elect', 'cli', round)))
    const codes = runs.map(({ code }) => code).sort()
    expect(codes).toEqual([0, 1, 1, 1, 1])
    const [won] = runs.filter(({ code }) => code === 0)
    expect(won).toEqual(ended(0, /^leader \(fence \d+\)\n$/))
    for (const lost of runs.filter(({ code }) => code === 1)) {
      expect(lost).toEqual(ended(1, new RegExp(`^not the leader: ${ADDRESS} leads \\(fence \\d+\\)\\n$`)))
    }
  })

  it('exits 0 again for the same token', async () => {
    const args = ['elect', 'cli', newRound(), '--candidate', 'me']
    const first = await gone(...args)
    expect(first.code).toBe(0)
    expect(await gone(...args)).toEqual(first)
  })

  it('exits 1 for the same token once the round is finished, so that the work is not done again', async () => {
    const args = ['cli', newRound(), '--candidate', 'me']
    await gone('elect', ...args)
    await gone('complete', ...args)
    expect(await gone('elect', ...args)).toEqual(
      ended(1, /^not the leader: \S+ led \(fence \d+\), completed\n$/),
    )
  })

  it('stands by for the lead', async () => {
    const round = newRound()
    await gone('elect', 'cli', round, '--lease', '1s')
    expect(await gone('elect', 'cli', round, '--lease', '1s', '--wait', '20s')).toMatchObject({ code: 0 })
  })

  it('prints for scripts what the SDK answers', async () => {
    const round = newRound()
    const won = JSON.parse((await gone('elect', 'cli', round, '--json')).stdout)
    expect(won).toEqual({ leads: true, leader: expect.any(String), fence: expect.any(Number), state: 'led' })
    const lost = await gone('elect', 'cli', round, '--json')
    expect(lost.code).toBe(1)
    expect(JSON.parse(lost.stdout)).toEqual({ ...won, leads: false })
  })
})

describe('a crontab line', () => {
  it('elects, works and completes with nothing but the two names', async () => {
    const round = newRound()
    expect(await gone('completed', 'cli', round)).toEqual(ended(1, 'not completed: nobody has led it\n'))
    expect(await gone('elected', 'cli', round)).toEqual(ended(1, 'nobody yet\n'))
    expect(await gone('elect', 'cli', round)).toMatchObject({ code: 0 })
    expect(await gone('elected', 'cli', round)).toEqual(
      ended(0, new RegExp(`^${ADDRESS} \\(fence \\d+\\), led\\n$`)),
    )
    expect(await gone('completed', 'cli', round)).toEqual(
      ended(1, /^not completed: .* leads \(fence \d+\), led\n$/),
    )
    expect(await gone('complete', 'cli', round, '--result', '{"rows":42}')).toEqual(
      ended(0, /^recorded as completed \(fence \d+\)\n$/),
    )
    expect(await gone('completed', 'cli', round)).toEqual(
      ended(0, new RegExp(`^completed by ${ADDRESS} \\(fence \\d+\\): {"rows":42}\\n$`)),
    )
    expect(await gone('elect', 'cli', round)).toEqual(
      ended(1, /^not the leader: .* led \(fence \d+\), completed\n$/),
    )
    expect(await gone('complete', 'cli', round)).toEqual(
      ended(1, /^refused: .*has recorded it as completed\n$/),
    )
  })

  it('reports a failure with its reason', async () => {
    const round = newRound()
    await gone('elect', 'cli', round)
    expect(await gone('fail', 'cli', round, '--reason', 'disk full')).toEqual(
      ended(0, /^recorded as failed \(fence \d+\)\n$/),
    )
    expect(await gone('completed', 'cli', round)).toEqual(
      ended(1, new RegExp(`^not completed: failed by ${ADDRESS} \\(fence \\d+\\): disk full\\n$`)),
    )
    expect(await gone('fail', 'cli', round, '--reason', 'again')).toMatchObject({ code: 1 })
  })
})

describe('who leads with a token', () => {
  it('reports with the token or the fence, and nobody else does', async () => {
    const round = newRound()
    const { stdout } = await gone('elect', 'cli', round, '--candidate', 'me', '--lease', '1h', '--json')
    const fence = String(JSON.parse(stdout).fence)
    expect(await gone('complete', 'cli', round)).toEqual(ended(1, /^refused: .* led by .*Gone-Fence\n$/))
    expect(await gone('renew', 'cli', round, '--fence', '999999')).toEqual(
      ended(1, /^not renewed: .* led by .*\n$/),
    )
    expect(await gone('renew', 'cli', round, '--fence', fence, '--lease', '2h')).toEqual(
      ended(0, /^leader \(fence \d+\), lease until \d{4}-.*Z\n$/),
    )
    expect(await gone('renew', 'cli', round, '--candidate', 'me')).toMatchObject({ code: 0 })
    expect(await gone('complete', 'cli', round, '--fence', fence)).toMatchObject({ code: 0 })
    expect(await gone('renew', 'cli', round, '--fence', fence)).toEqual(
      ended(1, /^not renewed: .*finished by/),
    )
  })

  it('has nothing to renew in a round that nobody led', async () => {
    expect(await gone('renew', 'cli', newRound(), '--fence', '1')).toEqual(
      ended(1, /^not renewed: .*nobody has led/),
    )
  })
})

describe('what could not be told', () => {
  it.each(COMMANDS)('exits 2 with one line when the server is down: %s', async (command) => {
    const gone = await startTestServer({ redis: server.redis })
    await gone.stop()
    const proof = command === 'renew' ? ['--fence', '1'] : []
    const run = await runCli([command, 'a', 'b', '--server', gone.url, '--timeout', '1500ms', ...proof])
    expect(run).toEqual(
      failed(/^gone: cannot reach the gone server at http:\S+: connection refused; start one .*GONE_URL\n$/),
    )
  })

  it.each([
    [
      'a name that breaks a rule',
      ['elect', 'cli', 'a/b'],
      /^gone: round: must not contain "\/", got "a\/b"\n$/,
    ],
    ['an empty name', ['elect', 'cli', ''], /^gone: round: expected a name, got ""\n$/],
    ['a missing name', ['elect', 'cli'], /^gone: missing required argument 'round' \(see --help\)\n$/],
    ['a word too many', ['elect', 'cli', 'a', 'b'], /^gone: too many arguments .*\(see --help\)\n$/],
    [
      'an unknown option',
      ['elect', 'cli', 'a', '--leese', '1s'],
      /^gone: unknown option '--leese'.*lease.*\n$/,
    ],
    ['an option of another command', ['elected', 'cli', 'a', '--lease', '1s'], /^gone: unknown option .*\n$/],
    ['an unknown command', ['elekt', 'cli', 'a'], /^gone: unknown command 'elekt' \(Did you mean elect.*\n$/],
    ['a bad duration', ['elect', 'cli', 'a', '--lease', 'long'], /^gone: lease: expected a duration.*\n$/],
    ['a bad wait', ['elect', 'cli', 'a', '--wait', 'long'], /^gone: wait: expected a duration.*\n$/],
    ['a bad timeout', ['elect', 'cli', 'a', '--timeout', 'long'], /^gone: .*expected a duration.*\n$/],
    ['a bad token', ['elect', 'cli', 'a', '--candidate', 'a,b'], /^gone: candidate: expected .*\n$/],
    ['a bad fence', ['complete', 'cli', 'a', '--fence', 'x'], /^gone: .*expected an integer.*\n$/],
    ['a bad result', ['complete', 'cli', 'a', '--result', '{rows'], /^gone: .*expected JSON.*\n$/],
    [
      'a result whose number would change',
      ['complete', 'cli', 'a', '--result', '{"id":9007199254740993}'],
      /^gone: .*its value\.id: 9007199254740993 cannot be kept exactly as a number.*\n$/,
    ],
    [
      'a result of no number',
      ['complete', 'cli', 'a', '--result', '1e400'],
      /^gone: .*its value: 1e400 cannot be kept exactly.*\n$/,
    ],
    [
      'a result too large',
      ['complete', 'cli', 'a', '--result', `"${'x'.repeat(5_000)}"`],
      /^gone: result: .*\n$/,
    ],
    ['a renewal without proof', ['renew', 'cli', 'a'], /^gone: renew: show that you lead, .*\n$/],
    ['a bad address', ['elect', 'cli', 'a', '--server', 'nowhere'], /^gone: url: expected http:.*\n$/],
    ['a bad port of serve', ['serve', '--port', 'x'], /^gone: GONE_PORT: expected an integer.*\n$/],
    ['a bad port of demo', ['demo', '--port', 'x'], /^gone: .*expected an integer from 0 to 65535.*\n$/],
    ['too short a time', ['demo', '--every', '1s'], /^gone: .*from 3s to 1h.*\n$/],
  ])('exits 2 with one line that says what to do: %s', async (_, args, stderr) => {
    expect(await gone(...args)).toEqual(failed(stderr))
  })

  it('exits 2 and shows the help when nothing is asked', async () => {
    expect(await gone()).toEqual(failed(/^Usage: gone .*Commands:/s))
  })

  it.each([
    ['elect', 'cli', 'a'],
    ['once', '-s', 'cli', '-r', 'a', '--', 'true'],
  ])('exits 2 with one line that says how to show a key: %s', async (...args) => {
    const redis = await startRedis()
    onTestFinished(() => redis.stop())
    await makeKey(redis)
    const { url } = await startTestServer({ redis })
    const hint = /; show a key by GONE_KEY or --key-file; "gone key create" makes one\n$/
    expect(await runCli(args, { GONE_URL: url })).toEqual(failed(hint))
  })

  it('is an object for scripts', async () => {
    const run = await gone('elect', 'cli', 'a/b', '--json')
    expect(run).toMatchObject({ code: 2, stdout: '' })
    expect(JSON.parse(run.stderr)).toMatchObject({ code: 'INVALID_IDENTIFIER' })
  })

  it('is asked again until the server is there', async () => {
    const later = await startTestServer({ redis: server.redis })
    await later.stop()
    const port = new URL(later.url).port
    const election = runCli(['elect', 'cli', newRound(), '--server', later.url])
    // Time for the first attempts to fail.
    await new Promise((resolve) => setTimeout(resolve, 1_500))
    await startTestServer({ redis: server.redis, env: { GONE_PORT: port } })
    expect(await election).toMatchObject({ code: 0, stderr: '' })
  })
})

describe('the help', () => {
  it.each([...COMMANDS, ...OTHERS])('of gone %s has an example and the exit codes', async (command) => {
    const { code, stdout, stderr } = await runCli([...command.split(' '), '--help'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(new RegExp(`Examples:\\n  \\$ .*gone ${command}`))
    expect(stdout).toMatch(/Exit codes:\n {2}0 +\S.*\n(?: {2}1 +\S.*\n)? {2}2 +\S/)
    if (COMMANDS.includes(command)) expect(stdout).toMatch(/\n {2}1 {2}\S.*\n {2}2 {2}could not/)
    // A person reads it in a terminal; an example is for copying, in one line.
    const text = stdout.replaceAll(/^ {2}(?:\$|0 8 \* \* \*) .*$/gm, '')
    expect(longestLine(text)).toBeLessThanOrEqual(80)
  })

  it('of the program has examples, the exit codes and every command', async () => {
    const { code, stdout } = await runCli(['--help'])
    expect(code).toBe(0)
    for (const command of [...COMMANDS, 'serve', 'demo'])
      expect(stdout).toMatch(new RegExp(`^  ${command} `, 'm'))
    expect(stdout).toContain('Examples:\n  $ gone demo')
    expect(stdout).toMatch(/ {2}0 {2}won.*\n {2}1 {2}lost.*\n {2}2 {2}could not tell/)
    expect((await runCli(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
  })

  it('and the answers have no colours in a pipe, not even in CI', async () => {
    const env = { GONE_URL: server.url, CI: '1', TERM: 'xterm-256color' }
    for (const args of [['--help'], ['elect', 'cli', newRound()], ['elect', 'cli', 'a/b']]) {
      const { stdout, stderr } = await runCli(args, env)
      expect(stdout + stderr).not.toContain('\u001b')
    }
  })
})

function longestLine(text: string): number {
  return Math.max(...text.split('\n').map((line) => line.length))
}
