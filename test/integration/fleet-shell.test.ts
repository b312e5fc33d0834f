import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { createClient, type GoneClient } from '../../src/client/client.ts'
import { pause } from '../../src/waiting.ts'
import { spawnCli } from '../support/cli.ts'
import { endOf } from '../support/processes.ts'
import { builtPath, program } from '../support/program.ts'
import { startWorkProcess } from '../support/serve-process.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

const PATIENT = { timeout: 30_000, interval: 50 }
const CTRL_C = '\u0003'
const CTRL_D = '\u0004'

let server: TestServer
let client: GoneClient
let home: string
let id: string

beforeAll(async () => {
  server = await startTestServer()
  client = createClient({ url: server.url })
  home = mkdtempSync(join(tmpdir(), 'gone-shell-'))
  const env = { REDIS_URL: server.redis.url, GONE_REGION: 'eu', GONE_HOST_LABEL: 'eu-a', GONE_RELEASE: '41' }
  const worker = await startWorkProcess(builtPath('test/support/workers'), env)
  let found: string | undefined
  for (; found === undefined; await pause(50)) found = (await client.fleet.instances())[0]?.id
  id = found
  return async () => {
    await worker.kill()
  }
})

afterAll(() => rmSync(home, { recursive: true }))

/** The shell on a terminal of its own. */
class Terminal {
  private readonly script: ChildProcessByStdio<Writable, Readable, null>
  private shown = ''
  readonly ended: Promise<unknown>

  constructor() {
    const words = [process.execPath, ...program('src/cli/main.ts'), 'fleet', 'shell', '--server', server.url]
    const line = words.map((word) => `'${word}'`).join(' ')
    this.script = spawn('script', ['-qfec', `stty cols 200 rows 60; exec ${line}`, '/dev/null'], {
      stdio: ['pipe', 'pipe', 'ignore'],
      env: { ...process.env, XDG_STATE_HOME: home, NO_COLOR: '1' },
    })
    this.script.stdout.on('data', (data: Buffer) => {
      this.shown += data.toString()
    })
    this.ended = new Promise((resolve) => this.script.once('exit', resolve))
    onTestFinished(() => void this.script.kill('SIGKILL'))
  }

  type(text: string): void {
    this.shown = ''
    this.script.stdin.write(text)
  }

  async shows(text: string): Promise<string> {
    await expect.poll(() => this.shown, PATIENT).toContain(text)
    return this.shown
  }

  /** False where it is not there yet, and whoever asks may try again. */
  async showsSoon(text: string): Promise<boolean> {
    for (let looks = 0; looks < 20 && !this.shown.includes(text); looks += 1) await pause(20)
    return this.shown.includes(text)
  }

  /** Types a line when the prompt is there, and answers what comes before the next. */
  async line(text: string): Promise<string> {
    this.type(`${text}\r`)
    await expect.poll(() => this.shown.slice(text.length), PATIENT).toMatch(/\n.*fleet[^\n]*> /s)
    return this.shown
  }
}

const modeOf = async () => (await client.fleet.instance(id))?.state

describe('gone fleet shell on a terminal', () => {
  it('has filters that stay until they are dropped', async () => {
    const terminal = new Terminal()
    await terminal.shows('fleet> ')
    expect(await terminal.line('instances')).toContain(id)
    expect(await terminal.line('region us')).toContain('fleet region=us> ')
    expect(await terminal.line('instances')).toContain('no instance')
    expect(await terminal.line('worker pro*')).toContain('fleet region=us worker=pro*> ')
    expect(await terminal.line('filters')).toContain('region=us worker=pro*')
    expect(await terminal.line('region')).toContain('fleet worker=pro*> ')
    expect(await terminal.line('instances')).toContain(id)
    expect(await terminal.line('state registred')).toContain('expected some of')
    expect(await terminal.line('reset')).toContain('fleet> ')
    expect(await terminal.line('workers mailer')).toContain('too many arguments')
    expect(await terminal.line('nonsense')).toContain('no such command')
    terminal.type('exit\r')
    expect(await terminal.ended).toBe(0)
  }, 120_000)

  it('completes what there is now, and keeps what was typed in a file of its owner', async () => {
    const terminal = new Terminal()
    await terminal.shows('fleet> ')
    for (const [typed, completed] of [
      ['sho', 'show '],
      ['worker pr', 'worker probe '],
      ['host eu', 'host eu-a '],
      ['region e', 'region eu '],
      ['release 4', 'release 41 '],
      ['show ', `show ${id}`],
    ] as const) {
      // What there is is heard of a moment after the start.
      await expect
        .poll(() => {
          terminal.type(`${CTRL_C}${typed}\t`)
          return terminal.showsSoon(completed)
        }, PATIENT)
        .toBe(true)
      expect(await terminal.line('')).toContain('fleet')
    }
    await terminal.line('reset')
    expect(statSync(join(home, 'gone', 'fleet-history')).mode & 0o777).toBe(0o600)
    terminal.type(CTRL_D)
    expect(await terminal.ended).toBe(0)
    const again = new Terminal()
    await again.shows('fleet> ')
    again.type('\u001b[A')
    await again.shows('reset')
    again.type(`${CTRL_C}${CTRL_D}`)
    expect(await again.ended).toBe(0)
  }, 180_000)

  it('asks with the count before an order is given, and gives it for a yes alone', async () => {
    const terminal = new Terminal()
    await terminal.shows('fleet> ')
    await terminal.line('worker probe')
    for (const answer of ['n\r', CTRL_C]) {
      terminal.type('unregister --at-once\r')
      const asked = await terminal.shows('unregister 1 instance? [y/N] ')
      expect(asked).toContain(id)
      terminal.type(answer)
      await terminal.shows('fleet worker=probe> ')
      expect(await modeOf()).toBe('registered')
    }
    terminal.type('unregister --at-once --reason "new disk"\r')
    await terminal.shows('[y/N] ')
    expect(await terminal.line('y')).toMatch(/new disk[\s\S]*done/)
    await expect.poll(modeOf, PATIENT).toBe('unregistered')
    expect(await terminal.line('register --yes')).toContain('done')
    await expect.poll(modeOf, PATIENT).toBe('registered')
    terminal.type(CTRL_D)
    expect(await terminal.ended).toBe(0)
  }, 120_000)
})

it('gone fleet shell obeys lines of a pipe, asks nobody, and says by its exit code how it went', async () => {
  const pipe = (input: string) =>
    endOf(spawnCli(['fleet', 'shell', '--server', server.url], {}, { stdin: input }))
  const listed = await pipe('worker probe\ninstances --json\n')
  expect(listed).toMatchObject({ code: 0, stderr: '' })
  expect(JSON.parse(listed.stdout)).toMatchObject([{ id }])
  const lists = ['hosts', 'regions', 'workers', 'releases'].map((list) => `${list} --json`)
  const counted = await pipe(`worker probe\n${lists.join('\n')}\nhosts --pool mail\n`)
  for (const name of ['eu-a', 'eu', 'probe', '41'])
    expect(counted.stdout).toMatch(new RegExp(`"name": ?"${name}",\\s*"instances": ?1`))
  expect(counted).toMatchObject({ code: 0, stdout: expect.stringMatching(/\nno instance: .*\n$/) })
  const refused = await pipe('worker probe\nunregister --at-once\n')
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('say --yes') })
  expect(await modeOf()).toBe('registered')
  expect(await pipe('stop --yes\n')).toMatchObject({ code: 2, stderr: expect.stringContaining('--all') })
  expect(await pipe('help\nexit\nnonsense\n')).toMatchObject({ code: 0, stderr: '' })
})
