import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { slotAt } from '../../src/core/time/slot.ts'
import { createClient, type GoneClient } from '../../src/index.ts'
import { runCli, spawnCli } from '../support/cli.ts'
import { endOf, spawnProcess } from '../support/processes.ts'
import { builtPath, program } from '../support/program.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let server: TestServer
let client: GoneClient
let folder: string
let rounds = 0

beforeAll(async () => {
  server = await startTestServer()
  client = createClient({ url: server.url })
  folder = await mkdtemp(join(tmpdir(), 'gone-once-'))
})

afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

const newRound = () => `round-${rounds++}`
const inRound = (round: string, ...more: string[]) => ['once', '-s', 'once', '-r', round, ...more]
const gone = (...args: string[]) => runCli(args, { GONE_URL: server.url })
const start = (...args: string[]) => spawnCli(args, { GONE_URL: server.url })
const sh = (script: string) => ['--', 'sh', '-c', script]
const file = (name: string) => join(folder, name)
const linesOf = async (name: string) =>
  (await readFile(file(name), 'utf8').catch(() => '')).split('\n').filter(Boolean)
/** Prints its own number and a grandchild's, then both go on for a minute. */
const lasting = (name: string) => sh(`sleep 60 & echo "$$ $!" >>${file(name)}; wait`)

async function pidsOf(name: string): Promise<number[]> {
  await expect.poll(() => linesOf(name), { timeout: 30_000 }).not.toEqual([])
  return (await linesOf(name)).flatMap((line) => line.split(' ').map(Number))
}

/** One that has ended may stay in the table of processes until its parent looks, and runs no more. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return process.platform !== 'linux' || !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))
  } catch {
    return false
  }
}

async function expectDead(pids: readonly number[]): Promise<void> {
  await expect.poll(() => pids.filter(isAlive), { timeout: 30_000 }).toEqual([])
}

describe('gone once', () => {
  it('runs the command in one of five shells; the others end well and say nothing', async () => {
    const round = newRound()
    const runs = await Promise.all(
      Array.from({ length: 5 }, () =>
        gone(...inRound(round, ...sh(`echo ran >>${file('five')}; echo out; echo err >&2`))),
      ),
    )
    expect(await linesOf('five')).toEqual(['ran'])
    expect(runs.map(({ code }) => code)).toEqual([0, 0, 0, 0, 0])
    const won = runs.filter(({ stdout }) => stdout !== '')
    expect(won).toEqual([{ code: 0, stdout: 'out\n', stderr: 'err\n' }])
    expect(runs.filter(({ stdout, stderr }) => stdout === '' && stderr === '')).toHaveLength(4)
    const { completion } = (await client.completed('once', round)) ?? {}
    expect(completion?.result).toEqual({ exitCode: 0, tail: expect.stringMatching(/^(out\nerr|err\nout)$/) })
  })

  it('gives the command its words as they are, its round and its fence', async () => {
    const round = newRound()
    const script = 'echo "$GONE_SYSTEM $GONE_ROUND $GONE_FENCE $1"'
    const { code, stdout } = await gone(...inRound(round, ...sh(script), 'sh', '$(no) "shell" *'))
    const fence = (await client.elected('once', round))?.fence
    expect({ code, stdout }).toEqual({ code: 0, stdout: `once ${round} ${fence} $(no) "shell" *\n` })
  })

  it('gives the command all of its environment, also names that no shell takes', async () => {
    const env = { 'a.b': 'c "d"\n$e', 'x-y': 'z', mark: 'm', grace: 'g', n: '7', GONE_URL: server.url }
    const words = ['--', process.execPath, '-p', 'JSON.stringify(process.env)', 'a=b']
    const { stdout, stderr } = await runCli(inRound(newRound(), ...words), env)
    expect(stderr).toBe('')
    const seen = JSON.parse(stdout) as object
    expect(seen).toMatchObject(env)
    expect(
      Object.keys(seen)
        .filter((name) => name.startsWith('GONE_'))
        .sort(),
    ).toEqual(['FENCE', 'ROUND', 'RUN', 'SYSTEM', 'URL'].map((name) => `GONE_${name}`))
  })

  it('runs a command of gone itself', async () => {
    const words = [process.execPath, ...program('src/cli/main.ts'), 'key', 'list']
    const env = { GONE_URL: server.url, REDIS_URL: server.redis.url }
    const run = await runCli(inRound(newRound(), '--', ...words), env)
    expect(run).toEqual({ code: 0, stdout: 'no keys\n', stderr: '' })
  })

  it('exits as the command does, and fails the round with how and its last words', async () => {
    const round = newRound()
    const run = await gone(...inRound(round, ...sh('echo working; echo "disk full" >&2; exit 7')))
    expect(run).toEqual({ code: 7, stdout: 'working\n', stderr: 'disk full\n' })
    const reason = (await client.round('once', round).then(ended))?.reason
    expect(reason).toMatch(/^exit code 7: (working\ndisk full|disk full\nworking)$/)
    expect(await gone(...inRound(round, ...sh('echo again')))).toEqual({
      code: 0,
      stdout: '',
      stderr: '',
    })
  })

  it('exits with 128 and the number of the signal that ended the command', async () => {
    const round = newRound()
    expect(await gone(...inRound(round, ...sh('kill -KILL $$')))).toMatchObject({ code: 137 })
    expect((await client.round('once', round).then(ended))?.reason).toBe('killed by SIGKILL')
  })

  it('passes on much output, of which it keeps the end', async () => {
    const round = newRound()
    const run = await gone(...inRound(round, ...sh('seq 1 200000')))
    expect(run.code).toBe(0)
    expect(run.stdout.split('\n').length).toBe(200_001)
    const tail = await tailOf(round)
    expect(tail.length).toBeLessThanOrEqual(2_048)
    expect(tail.endsWith('\n199999\n200000')).toBe(true)
  })

  it('passes all of it on to a reader that takes seconds', async () => {
    const round = newRound()
    const run = start(...inRound(round, ...sh('head -c 400000 /dev/zero | tr "\\0" x; echo end')))
    const ended = once(run, 'exit')
    const out = run.stdout as NonNullable<ChildProcess['stdout']>
    out.pause()
    // The command has ended long ago, with its words on their way.
    await new Promise((resolve) => setTimeout(resolve, 4_000))
    let taken = ''
    for await (const text of out.setEncoding('utf8')) taken += text
    expect(taken.length).toBe(400_004)
    expect(taken.endsWith('xend\n')).toBe(true)
    expect(await ended).toEqual([0, null])
    expect((await client.completed('once', round))?.state).toBe('completed')
  })

  it('waits no longer for a reader that takes nothing, once it is told to end', async () => {
    const round = newRound()
    const run = start(...inRound(round, ...sh('head -c 400000 /dev/zero')))
    const out = run.stdout as NonNullable<ChildProcess['stdout']>
    out.pause()
    const ended = once(run, 'exit')
    await expect.poll(async () => (await client.round('once', round))?.state, { timeout: 45_000 }).toBe('led')
    // Longer than the last words of a command are waited for.
    await new Promise((resolve) => setTimeout(resolve, 2_000))
    expect(run.exitCode).toBeNull()
    run.kill('SIGTERM')
    await expect
      .poll(async () => (await client.round('once', round))?.state, { timeout: 45_000 })
      .toBe('failed')
    // What it has written itself waits for its reader, as that of any program, and for no signal once it has reported.
    const killing = setInterval(() => run.kill('SIGTERM'), 200)
    await ended
    clearInterval(killing)
  })

  it('keeps what JSON makes longer', async () => {
    const round = newRound()
    const run = await gone(...inRound(round, ...sh('head -c 3000 /dev/zero; echo end')))
    expect(run.code).toBe(0)
    const tail = await tailOf(round)
    expect(tail.endsWith('end')).toBe(true)
  })

  it('reads its standard input', async () => {
    const child = spawn(
      'sh',
      ['-c', `echo hello | "$@"`, 'sh', ...spawnWords(inRound(newRound(), '--', 'cat'))],
      {
        env: { ...process.env, GONE_URL: server.url },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    )
    expect(await endOf(child)).toEqual({ code: 0, stdout: 'hello\n', stderr: '' })
  })

  it('does not wait for what the command leaves behind', async () => {
    const round = newRound()
    const startMs = performance.now()
    const { code, stdout } = await gone(...inRound(round, ...sh('sleep 20 & echo $!')))
    expect(code).toBe(0)
    expect(performance.now() - startMs).toBeLessThan(15_000)
    expect(isAlive(Number(stdout))).toBe(true)
    process.kill(Number(stdout), 'SIGKILL')
  })

  it('tells scripts and people who ask what came of it', async () => {
    const round = newRound()
    const won = await gone(...inRound(round, '--json', '--verbose', ...sh('echo out')))
    const [out, json = ''] = won.stdout.trim().split('\n')
    expect(out).toBe('out')
    expect(JSON.parse(json)).toEqual({
      kind: 'ran',
      fence: expect.any(Number),
      result: { exitCode: 0, tail: 'out' },
    })
    expect(won.stderr).toMatch(
      /^gone: asking for once \S+\ngone: leading under fence \d+\ngone: completed under fence \d+\n$/,
    )
    const lost = await gone(...inRound(round, '--json', '--verbose', ...sh('echo out')))
    expect(JSON.parse(lost.stdout)).toMatchObject({ kind: 'lost', state: 'completed' })
    expect(lost.stderr).toMatch(/gone: not the leader: .*, completed\n$/)
    const failed = await gone(...inRound(newRound(), '--json', ...sh('exit 3')))
    expect(failed.code).toBe(3)
    expect(JSON.parse(failed.stdout)).toEqual({ kind: 'failed', exitCode: 3, reason: 'exit code 3' })
  })

  it('renews, and hands the round on when it is killed: the command dies with it, who stands by runs', async () => {
    const round = newRound()
    const first = start(...inRound(round, '--lease', '4s', ...lasting('killed')))
    const pids = await pidsOf('killed')
    const before = await client.elected('once', round)
    const second = gone(
      ...inRound(round, '--lease', '4s', '--wait', '25s', ...sh('echo "took over $GONE_FENCE"')),
    )
    // Longer than the lease: it must have been renewed.
    await new Promise((resolve) => setTimeout(resolve, 6_000))
    expect(await client.elected('once', round)).toMatchObject({ state: 'led', fence: before?.fence })
    first.kill('SIGKILL')
    await expectDead(pids)
    const { code, stdout } = await second
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/^took over \d+\n$/) })
    expect(Number(stdout.split(' ')[2])).toBeGreaterThan(before?.fence ?? Number.NaN)
  })

  it('kills the command and all it has started when the lead is lost, and exits 75', async () => {
    const round = newRound()
    const run = start(...inRound(round, '--lease', '1s', '--candidate', 'slow', ...lasting('lost')))
    const end = endOf(run)
    const pids = await pidsOf('lost')
    // Asleep beyond its lease: another takes over.
    run.kill('SIGSTOP')
    const next = await client.elect('once', round, { lease: '30s', wait: '20s' })
    expect(next.leads).toBe(true)
    run.kill('SIGCONT')
    const { code, stderr } = await end
    expect({ code, stderr }).toEqual({
      code: 75,
      stderr: expect.stringMatching(/^gone: once .* is lost: .*\n$/),
    })
    await expectDead(pids)
    expect(await client.round('once', round)).toMatchObject({ state: 'led', fence: next.fence })
  })

  describe.runIf(process.platform === 'linux')(
    'with what has left its group for a session of its own',
    () => {
      /** Three processes, of which two are in another session, one of them without a parent that lives; for a minute. */
      const apart = (name: string) =>
        sh(
          `setsid sh -c 'sleep 60 & echo $! >>${file(name)}' & setsid sleep 60 & echo "$! $$" >>${file(name)}; sleep 60`,
        )
      async function threeOf(name: string): Promise<number[]> {
        await expect.poll(() => pidsOf(name), { timeout: 30_000 }).toHaveLength(3)
        return pidsOf(name)
      }

      it('kills that too when the lead is lost', async () => {
        const round = newRound()
        const run = start(...inRound(round, '--lease', '1s', ...apart('apart-lost')))
        const end = endOf(run)
        const pids = await threeOf('apart-lost')
        run.kill('SIGSTOP')
        expect((await client.elect('once', round, { lease: '30s', wait: '20s' })).leads).toBe(true)
        run.kill('SIGCONT')
        expect(await end).toMatchObject({ code: 75 })
        // Once it has ended, so have they.
        expect(pids.filter(isAlive)).toEqual([])
      })

      it('kills that too when it is killed itself', async () => {
        const run = start(...inRound(newRound(), ...apart('apart-killed')))
        const pids = await threeOf('apart-killed')
        run.kill('SIGKILL')
        await expectDead(pids)
      })

      it('kills by force those of them that do not end', async () => {
        const name = 'apart-stubborn'
        const stubborn = `trap "" TERM; echo $$ >>${file(name)}; while :; do sleep 0.2; done`
        const run = start(...inRound(newRound(), ...sh(`setsid sh -c '${stubborn}' & sleep 60`)))
        const pids = await pidsOf(name)
        run.kill('SIGKILL')
        await new Promise((resolve) => setTimeout(resolve, 1_000))
        expect(pids.filter(isAlive)).toEqual(pids)
        await expectDead(pids)
      })

      it('leaves it alone when the command ends well', async () => {
        const { code, stdout } = await gone(
          ...inRound(newRound(), ...sh('setsid sleep 60 >/dev/null 2>&1 & echo $!')),
        )
        expect(code).toBe(0)
        expect(isAlive(Number(stdout))).toBe(true)
        process.kill(Number(stdout), 'SIGKILL')
      })
    },
  )

  it('kills by force what does not end', async () => {
    const own = await startTestServer({ redis: server.redis })
    const round = newRound()
    const stubborn = sh(`trap '' TERM; echo "$$ $$" >>${file('stubborn')}; while :; do sleep 1; done`)
    const run = endOf(
      spawnCli(inRound(round, '--lease', '2s', '--timeout', '1s', ...stubborn), { GONE_URL: own.url }),
    )
    const pids = await pidsOf('stubborn')
    await own.stop()
    expect(await run).toMatchObject({ code: 75, stderr: expect.stringContaining('no renewal got through') })
    await expectDead(pids)
  })

  it('has killed it before its lease has ended', async () => {
    const own = await startTestServer({ redis: server.redis })
    const round = newRound()
    const stubborn = `trap '' TERM; echo "$$ $$" >>${file('grace')}; while :; do sleep 0.1; date +%s%N >>${file('alive')}; done`
    const words = inRound(round, '--lease', '30s', '--timeout', '1s', ...sh(stubborn))
    const run = endOf(spawnCli(words, { GONE_URL: own.url }))
    const pids = await pidsOf('grace')
    await own.stop()
    const led = await client.round('once', round)
    const leaseEnd = Date.parse((led?.state === 'led' && led.leaseExpiresAt) || '')
    expect(await run).toMatchObject({ code: 75 })
    await expectDead(pids)
    expect(Number((await linesOf('alive')).at(-1)) / 1e6).toBeLessThan(leaseEnd)
  }, 120_000)

  it.each(['SIGTERM', 'SIGINT'] as const)('passes %s on and fails the round with it', async (signal) => {
    const round = newRound()
    const name = `stopped-${signal}`
    const script = `trap 'echo tidied >>${file(`${name}-out`)}; exit 0' ${signal.slice(3)}; echo $$ >>${file(name)}; while :; do sleep 0.1; done`
    const run = start(...inRound(round, ...sh(script)))
    const end = endOf(run)
    await pidsOf(name)
    run.kill(signal)
    expect(await end).toMatchObject({ code: signal === 'SIGTERM' ? 143 : 130 })
    expect(await linesOf(`${name}-out`)).toEqual(['tidied'])
    expect((await client.round('once', round).then(ended))?.reason).toMatch(
      new RegExp(`^stopped by ${signal}`),
    )
  })

  it('stops standing by when it is told to', async () => {
    const round = newRound()
    await client.elect('once', round)
    const run = start(...inRound(round, '--wait', '1m', '--verbose', ...sh('echo ran')))
    const end = endOf(run)
    await once(run.stderr as NonNullable<ChildProcess['stderr']>, 'data')
    run.kill('SIGTERM')
    expect(await end).toMatchObject({ code: 143, stdout: '' })
  })
})

describe('what could not be told', () => {
  const run = sh('echo ran')
  it.each([
    ['no round', ['once', '-s', 'a', ...run], /round: expected one of --round and --round-every/],
    ['two rounds', ['once', '-s', 'a', '-r', 'b', '--round-every', '1h', ...run], /round: expected one of/],
    ['no system', ['once', '-r', 'b', ...run], /required option '-s, --system/],
    ['no command', ['once', '-s', 'a', '-r', 'b'], /missing required argument 'command'/],
    ['no such command', ['once', '-s', 'a', '-r', 'b', '--', 'no-such-command'], /no-such-command: no such/],
    [
      'a bad expression',
      ['once', '-s', 'a', '--round-every', '61 * * * *', ...run],
      /round-every: .*minute "61"/,
    ],
    ['a bad span', ['once', '-s', 'a', '--round-every', '7m', ...run], /round-every: expected .*"7m"/],
    ['a bad zone', ['once', '-s', 'a', '--round-every', '1h', '--tz', 'X', ...run], /tz: expected .*"X"/],
    ['a zone without its time', ['once', '-s', 'a', '-r', 'b', '--tz', 'UTC', ...run], /tz: only for/],
    ['a bad lease', ['once', '-s', 'a', '-r', 'b', '--lease', '1y', ...run], /lease: expected a duration/],
    ['a bad name', ['once', '-s', 'a/b', '-r', 'b', ...run], /system: must not contain/],
    [
      'a server that is down',
      ['once', '-s', 'a', '-r', 'b', '--server', 'http://127.0.0.1:9', '--timeout', '3s', ...run],
      /cannot reach the gone server/,
    ],
  ])('exits 2 with one line, and runs nothing: %s', async (_, args, line) => {
    const { code, stdout, stderr } = await gone(...args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/^gone: .*\n$/)
    expect(stderr).toMatch(line)
  })
})

describe('--round-every', () => {
  it('is one round for all who fire in one slot', async () => {
    const runs = await Promise.all(
      Array.from({ length: 3 }, () =>
        gone('once', '-s', 'slots', '--round-every', '1d', '--tz', 'Asia/Kolkata', ...sh('echo $GONE_ROUND')),
      ),
    )
    expect(runs.map(({ code }) => code)).toEqual([0, 0, 0])
    const rounds = runs.map(({ stdout }) => stdout).filter(Boolean)
    expect(rounds).toEqual([expect.stringMatching(/^\d{4}-\d\d-\d\dT00:00:00\+05:30\n$/)])
  })

  it.each([
    ['1h', 'Europe/Berlin', '2026-11-22T07:00:00Z', '2026-11-22T08:00:00+01:00'],
    ['15m', 'Asia/Kathmandu', '2026-11-22T07:07:00Z', '2026-11-22T12:45:00+05:45'],
    ['1d', 'America/New_York', '2026-11-22T04:59:00Z', '2026-11-21T00:00:00-05:00'],
    ['0 8 * * 1-5', 'Europe/Berlin', '2026-11-22T07:00:00Z', '2026-11-20T08:00:00+01:00'],
    // A few seconds early, by an impatient timer or a slow clock; and too early for that.
    ['1d', 'Europe/Berlin', '2026-11-21T22:59:56Z', '2026-11-22T00:00:00+01:00'],
    ['1d', 'Europe/Berlin', '2026-11-21T22:59:50Z', '2026-11-21T00:00:00+01:00'],
    ['10s', 'UTC', '2026-11-22T07:07:07Z', '2026-11-22T07:07:00+00:00'],
    ['10s', 'UTC', '2026-11-22T07:07:08Z', '2026-11-22T07:07:10+00:00'],
    // The hour that comes twice is two rounds; 02:30 in a night without it keeps the name that was meant.
    ['1h', 'Europe/Berlin', '2026-10-25T00:30:00Z', '2026-10-25T02:00:00+02:00'],
    ['1h', 'Europe/Berlin', '2026-10-25T01:30:00Z', '2026-10-25T02:00:00+01:00'],
    ['30 2 * * *', 'America/New_York', '2026-03-08T07:30:00Z', '2026-03-08T02:30:00-05:00'],
  ])('%s in %s at %s is %s', (every, zone, now, slot) => {
    expect(slotAt(every, zone, Date.parse(now))).toBe(slot)
  })
})

describe("the servers' clock", () => {
  it.each([36, -36, 24 * 40])('names the slot, and not one that is %i hours ahead', async (hours) => {
    const skew = pathToFileURL(builtPath('test/support/skew.ts')).href
    const run = await endOf(
      spawnProcess({
        args: [
          '--import',
          skew,
          ...program('src/cli/main.ts'),
          'once',
          '-s',
          `skewed${hours}`,
          '--round-every',
          '1d',
          ...sh('echo $GONE_ROUND'),
        ],
        env: { GONE_URL: server.url, CLOCK_SKEW_MS: String(hours * 3_600_000) },
      }),
    )
    // By the clock of this machine, which is also that of its Redis; also where midnight comes meanwhile.
    const days = [Date.now(), Date.now() - 60_000].map(
      (at) => `${new Date(at).toISOString().slice(0, 10)}T00:00:00+00:00\n`,
    )
    expect(days).toContain(run.stdout)
  })
})

describe('who lost', () => {
  const lose = async (isTerminal: boolean, more: readonly string[] = []) => {
    const round = newRound()
    await gone(...inRound(round, ...sh('true')))
    const words = [
      process.execPath,
      ...program('src/cli/main.ts'),
      ...inRound(round, ...more, ...sh('echo ran')),
    ]
    const quoted = words.map((word) => `'${word}'`).join(' ')
    const [file = '', ...args] = isTerminal ? ['script', '-qfec', quoted, '/dev/null'] : ['sh', '-c', quoted]
    const env = { PATH: process.env.PATH, GONE_URL: server.url }
    const { stdout, stderr } = await promisify(execFile)(file, args, { env })
    return stdout + stderr
  }

  it.each([
    ['on a terminal is told', true, [], /^gone: not the leader: \S+, completed\r\n$/],
    [
      'on a terminal is told once with --verbose',
      true,
      ['--verbose'],
      /^gone: asking for .*\r\ngone: not the leader: \S+, completed\r\n$/,
    ],
    [
      'on a terminal is told beside --json',
      true,
      ['--json'],
      /^(?:gone: not the leader: .*\r\n|\{"kind":"lost".*\r\n){2}$/,
    ],
    ['in a crontab is not', false, [], /^$/],
  ] as const)('%s', async (_, isTerminal, more, said) => {
    expect(await lose(isTerminal, more)).toMatch(said)
  })
})

describe('the help', () => {
  it('has examples, a crontab line and the exit codes', async () => {
    const { code, stdout } = await runCli(['once', '--help'])
    expect(code).toBe(0)
    expect(stdout).toMatch(/Examples:\n {2}\$ gone once/)
    expect(stdout).toMatch(/^ {2}0 8 \* \* \* gone once .* -- /m)
    expect(stdout).toMatch(/Exit codes:\n {2}0 .*\n {2}2 {4}could not tell.*\n {2}75 /)
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(90)
  })
})

function ended(round: Awaited<ReturnType<GoneClient['round']>>) {
  return round?.state === 'submitted' ? undefined : round?.completion
}

async function tailOf(round: string): Promise<string> {
  const completed = await client.completed('once', round)
  return (completed?.completion?.result as { tail: string } | undefined)?.tail ?? ''
}

/** The words of a shell that starts this tree's `gone`. */
function spawnWords(args: readonly string[]): string[] {
  return [process.execPath, ...program('src/cli/main.ts'), ...args]
}
