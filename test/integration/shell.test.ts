import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { JobFailed } from '../../src/core/rounds/job-failed.ts'
import hello from '../../workers/hello.ts'
import { type ShellSettings, shellHandler, shellSettings } from '../../workers/shell.ts'
import { failureOf, runHandler, workerContext } from '../support/worker-context.ts'

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gone-shell-'))
})

afterEach(async () => {
  await rm(folder, { recursive: true })
})

const { PATH = '' } = process.env

/** The settings of a worker whose catalogue has these entries. */
async function settingsWith(catalogue: unknown, env: Record<string, string> = {}): Promise<ShellSettings> {
  const path = join(folder, 'catalogue.json')
  await writeFile(path, JSON.stringify(catalogue))
  return shellSettings({ PATH, ...env, GONE_SHELL_CATALOGUE: path })
}

/** Runs a script as the one command of the catalogue. */
async function runScript(script: string, { entry = {}, data = {}, context = workerContext() } = {}) {
  const settings = await settingsWith({ it: { command: ['sh', '-c', script, 'it'], ...entry } })
  return runHandler(shellHandler(settings), { command: 'it', ...data }, context)
}

describe('a command', () => {
  it('completes with what it wrote, which is in the log too', async () => {
    const context = workerContext()
    const result = await runScript('echo one; echo two; printf three', { context })
    expect(result).toEqual({ exitCode: 0, tail: 'one\ntwo\nthree' })
    expect(context.lines).toEqual(['one', 'two', 'three'])
  })

  it('may write to stderr too, and no line is cut by another', async () => {
    const { tail } = await runScript('printf out; printf err >&2; sleep 0.1; echo " one"; echo " two" >&2')
    expect(tail.split('\n').sort()).toEqual(['err two', 'out one'])
  })

  it('completes without a word', async () => {
    const context = workerContext()
    expect(await runScript(':', { context })).toEqual({ exitCode: 0, tail: '' })
    expect(context.lines).toEqual([])
  })

  it('finds the round in a small environment, and its input on stdin', async () => {
    const settings = await settingsWith(
      {
        it: { command: ['sh', '-c', 'env; cat', 'it'], args: true, env: { MODE: 'fast', GONE_ROUND: 'no' } },
      },
      { SECRET: 'of the worker', HOME: '/nowhere', LANG: 'C' },
    )
    const data = { command: 'it', args: ['a', 'b'], input: { keep: 7 } }
    const { tail } = await runHandler(shellHandler(settings), data)
    const lines = tail.split('\n')
    expect(lines).toEqual(
      expect.arrayContaining([
        'GONE_SYSTEM=reports',
        'GONE_ROUND=2026-11-22',
        'GONE_FENCE=7',
        'GONE_ATTEMPT=1',
        'GONE_ARGS=["a","b"]',
        'MODE=fast',
        'HOME=/nowhere',
        'LANG=C',
        `PATH=${PATH}`,
        '{"keep":7}',
      ]),
    )
    expect(tail).not.toContain('SECRET')
    expect(tail).not.toContain('npm_')
  })

  it('need not read its input', async () => {
    const input = 'x'.repeat(1_000_000)
    expect(await runScript('exit 0', { data: { input } })).toMatchObject({ exitCode: 0 })
  })

  it('runs in its folder', async () => {
    expect(await runScript('pwd -P', { entry: { cwd: '/' } })).toEqual({ exitCode: 0, tail: '/' })
  })

  it('gets arguments as they are, whatever a shell would make of them', async () => {
    const args = ['$(touch pwned)', '`id`', '; echo x', '*', '$HOME', '\' "', '', 'a\nb']
    const settings = await settingsWith({ it: { command: ['printf', '<%s>'], args: true, cwd: folder } })
    const { tail } = await runHandler(shellHandler(settings), { command: 'it', args })
    expect(tail).toBe(args.map((arg) => `<${arg}>`).join(''))
    await expect(readFile(join(folder, 'pwned'))).rejects.toThrow('ENOENT')
  })

  it('that fails asks for another attempt, with the end of what it wrote', async () => {
    const context = workerContext()
    const error = await failureOf(runScript('echo no space >&2; exit 3', { context }))
    expect(error).not.toBeInstanceOf(JobFailed)
    expect(error.message).toBe('it: exit code 3: no space')
    expect(context.lines).toEqual(['no space'])
    expect((await failureOf(runScript('kill -SEGV $$'))).message).toBe('it: killed by SIGSEGV')
  })

  it('that cannot be started asks for another attempt', async () => {
    const settings = await settingsWith({ it: { command: ['no-such-program'] } })
    const error = await failureOf(runHandler(shellHandler(settings), { command: 'it' }))
    expect(error).not.toBeInstanceOf(JobFailed)
    // EACCES where PATH has a folder that this user may not read.
    expect(error.message).toMatch(/^it: spawn no-such-program E(?:NOENT|ACCES)$/)
  })

  it('is not undone by a log that cannot be written', async () => {
    const context = workerContext({ log: () => Promise.reject(new Error('Redis is away')) })
    expect(await runScript('echo done', { context })).toEqual({ exitCode: 0, tail: 'done' })
  })
})

describe('output', () => {
  it('is kept up to its last 50 lines', async () => {
    const context = workerContext()
    await runScript('i=0; while [ $i -lt 200 ]; do echo $i; i=$((i+1)); done', { context })
    expect(context.lines).toEqual(Array.from({ length: 50 }, (_, i) => String(150 + i)))
  })

  it('is kept up to its last 8 KiB, in bounded memory', async () => {
    const before = process.memoryUsage().rss
    const { tail } = await runScript('head -c 200000000 /dev/zero | tr "\\0" x; echo; echo end')
    expect(tail.length).toBe(8_191)
    expect(tail.endsWith('x\nend')).toBe(true)
    expect(process.memoryUsage().rss - before).toBeLessThan(150_000_000)
  })
})

describe('the end of an attempt', () => {
  const pidIn = async (file: string) => Number(await readFile(join(folder, file), 'utf8'))
  const isAlive = (pid: number) => {
    try {
      return process.kill(pid, 0)
    } catch {
      return false
    }
  }
  /** A zombie that nobody waits for is dead, although its number is still taken. */
  const isRunning = async (pid: number) => {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
    return isAlive(pid) && !/\) [ZX] /.test(stat ?? '')
  }

  /** Starts a script that writes `child` once it and its grandchild run; then aborts it. */
  async function abortWhenRunning(script: string) {
    const attempt = new AbortController()
    const reason = new Error('the gate was lost')
    const context = workerContext({ signal: attempt.signal })
    const failure = failureOf(runScript(script, { entry: { cwd: folder }, context }))
    await expect.poll(() => pidIn('child').catch(() => 0), { timeout: 30_000 }).toBeGreaterThan(0)
    const startMs = performance.now()
    attempt.abort(reason)
    expect(await failure).toBe(reason)
    return { tookMs: performance.now() - startMs, child: await pidIn('child') }
  }

  it('ends the command and its children', async () => {
    const { child } = await abortWhenRunning('sleep 600 & printf $! > tmp; mv tmp child; wait')
    expect(await isRunning(child)).toBe(false)
  })

  it('kills what does not end by itself', async () => {
    const stubborn = 'trap "" TERM; (while :; do sleep 1; done) & printf $! > tmp; mv tmp child; wait'
    const { tookMs, child } = await abortWhenRunning(stubborn)
    await expect.poll(() => isRunning(child), { timeout: 30_000 }).toBe(false)
    expect(tookMs).toBeGreaterThan(3_900)
  })

  it('is also that of what a command leaves behind', async () => {
    const script = 'sleep 600 & printf $! > child; echo done'
    expect(await runScript(script, { entry: { cwd: folder } })).toEqual({ exitCode: 0, tail: 'done' })
    expect(await isRunning(await pidIn('child'))).toBe(false)
  })

  it('comes when the time of the catalogue is up', async () => {
    const error = await failureOf(runScript('echo begun; sleep 600', { entry: { timeout: '300ms' } }))
    expect(error).not.toBeInstanceOf(JobFailed)
    expect(error.message).toBe('it: took longer than 300 ms: begun')
  })

  it('comes before the start where the attempt is over already', async () => {
    const context = workerContext({ signal: AbortSignal.abort(new Error('the worker stops')) })
    const error = await failureOf(runScript('touch ran', { entry: { cwd: folder }, context }))
    expect(error.message).toBe('the worker stops')
    await expect(readFile(join(folder, 'ran'))).rejects.toThrow('ENOENT')
  })
})

describe('a job that cannot be run', () => {
  it('fails for good while the worker is off, and says how to turn it on', async () => {
    const error = await failureOf(runHandler(shellHandler(shellSettings({})), { command: 'it' }))
    expect(error).toBeInstanceOf(JobFailed)
    expect(error.message).toContain('GONE_SHELL_CATALOGUE=')
  })

  const BAD: readonly [unknown, string][] = [
    [null, 'data: expected an object with command, args, input, got nothing'],
    [{}, 'data.command: expected the name of a command'],
    [{ command: ['sh', '-c', 'id'] }, 'data.command: expected a text, got a list'],
    [{ command: 'sh' }, 'data.command: "sh" is not in the catalogue'],
    [{ command: '__proto__' }, 'data.command: "__proto__" is not in the catalogue'],
    [{ command: 'fixed', args: ['x'] }, 'data.args: "fixed" takes none'],
    [{ command: 'open', args: 'x' }, 'data.args: expected a list of texts, got a string'],
    [{ command: 'open', args: [1] }, 'data.args: expected a list of texts'],
    [{ command: 'open', args: ['a\0b'] }, 'data.args: must not contain a NUL'],
    [{ command: 'open', args: ['x'.repeat(40_000)] }, 'data.args: expected at most 32768 bytes'],
    [{ command: 'open', env: {} }, 'data.env: no such member'],
  ]

  it.each(BAD)('fails for good, and its member is named (%#)', async (data, message) => {
    const settings = await settingsWith({
      fixed: { command: ['true'] },
      open: { command: ['true'], args: true },
    })
    const error = await failureOf(runHandler(shellHandler(settings), data))
    expect(error).toBeInstanceOf(JobFailed)
    expect(error.message).toContain(message)
  })
})

describe('a catalogue that is wrong', () => {
  const BAD: readonly [unknown, string][] = [
    [[], 'expected an object with an entry for each command'],
    [{ a: 'ls' }, 'a: expected an object with command'],
    [{ a: {} }, 'a.command: expected a list that starts with a name or an absolute path'],
    [{ a: { command: [] } }, 'a.command: expected a list that starts'],
    [{ a: { command: 'ls -l' } }, 'a.command: expected a list of texts, got a string'],
    [{ a: { command: ['./run'] } }, 'a.command: expected a list that starts with a name or an absolute path'],
    [{ a: { command: ['ls'], cwd: 'here' } }, 'a.cwd: expected an absolute path, got "here"'],
    [{ a: { command: ['ls'], args: 'yes' } }, 'a.args: expected true or false'],
    [{ a: { command: ['ls'], env: { A: 1 } } }, 'a.env.A: expected a text, got a number'],
    [{ a: { command: ['ls'], timeout: 5 } }, 'a.timeout: expected a duration'],
    [{ a: { command: ['ls'], shell: true } }, 'a.shell: no such member'],
  ]

  it.each(BAD)('stops the start and names the entry: %j', async (catalogue, message) => {
    const error = await failureOf(settingsWith(catalogue))
    expect(error).toMatchObject({ code: 'CONFIG' })
    expect(error.message).toContain(`GONE_SHELL_CATALOGUE: ${folder}/catalogue.json: ${message}`)
  })

  it('may also be missing or no JSON', async () => {
    const path = join(folder, 'none.json')
    expect(() => shellSettings({ GONE_SHELL_CATALOGUE: path })).toThrow(/GONE_SHELL_CATALOGUE: .*ENOENT/)
    await writeFile(path, '{')
    expect(() => shellSettings({ GONE_SHELL_CATALOGUE: path })).toThrow(/GONE_SHELL_CATALOGUE: .*JSON/)
  })
})

describe('the example worker', () => {
  it('greets everybody, and shows its progress and fence', async () => {
    const seen: unknown[] = []
    const context = workerContext({ progress: async (progress) => void seen.push(progress) })
    expect(await runHandler(hello.handler, { names: ['Ada', 'Bob'] }, context)).toEqual({ greeted: 2 })
    expect(seen).toEqual([50, 100])
    expect(context.lines[0]).toBe('hello Ada, from reports/2026-11-22 under fence 7')
  })

  it('ends when it is told to, and fails for good on data that are wrong', async () => {
    const context = workerContext({ signal: AbortSignal.timeout(50) })
    expect((await failureOf(runHandler(hello.handler, { names: ['Ada', 'Bob'] }, context))).name).toBe(
      'AbortError',
    )
    expect(await failureOf(runHandler(hello.handler, null))).toBeInstanceOf(JobFailed)
  })
})
