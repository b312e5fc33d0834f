import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { endOf } from '../support/processes.ts'
import { startRedis } from '../support/redis.ts'
import { ROOT } from '../support/snippets.ts'

/** The processes of the group that have not ended; one that nobody waits for has. */
function processesOf(group: number): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      const [, state, , ofGroup] =
        /\) (\S) (\d+) (\d+) /.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? []
      return Number(ofGroup) === group && state !== 'Z'
    } catch {
      return false
    }
  })
}

/** `npm run` with these words, in a group of its own; returns once it has printed this. */
async function npmRun(words: readonly string[], ready: RegExp) {
  const folder = await mkdtemp(join(tmpdir(), 'gone-npm-'))
  const redis = await startRedis()
  const { PATH, HOME } = process.env
  const env = { PATH, HOME, GONE_DATA_DIR: folder, REDIS_URL: redis.url, GONE_LOG_LEVEL: 'info' }
  const npm = spawn('npm', ['run', ...words], { cwd: ROOT, env, detached: true })
  const group = npm.pid ?? 0
  onTestFinished(async () => {
    if (processesOf(group).length > 0) process.kill(-group, 'SIGKILL')
    await redis.stop()
    await rm(folder, { recursive: true, force: true })
  })
  const ended = endOf(npm)
  await new Promise<void>((resolve, reject) => {
    npm.stdout.on('data', (text: string) => ready.test(text) && resolve())
    void ended.then((end) => reject(new Error(JSON.stringify(end))))
  })
  return { npm, group, ended }
}

it.each([
  { script: 'serve', words: ['serve', '--', '--port', '0'], ready: /"listening"/ },
  { script: 'work', words: ['work', '--', '--only', 'hello'], ready: /"working"/ },
])(
  'has npm run $script drain where npm alone is told to stop',
  async ({ words, ready }) => {
    const { npm, group, ended } = await npmRun(words, ready)
    npm.kill('SIGTERM')
    const { code, stdout } = await ended
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining('"stopped"') })
    await expect.poll(() => processesOf(group), { timeout: 30_000 }).toEqual([])
  },
  120_000,
)

it('has npm run demo end all that it started where npm alone is told to stop', async () => {
  const { npm, group, ended } = await npmRun(['demo', '--', '--port', '0'], /round/)
  npm.kill('SIGTERM')
  await ended
  await expect.poll(() => processesOf(group), { timeout: 30_000 }).toEqual([])
}, 120_000)
