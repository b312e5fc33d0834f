import { randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runCli, spawnCli } from '../support/cli.ts'
import { endOf } from '../support/processes.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { startTestWorkers } from '../support/work.ts'

let redis: TestRedis
let server: TestServer
let folder: string

beforeAll(async () => {
  redis = await startRedis()
  server = await startTestServer({ redis })
  folder = await mkdtemp(join(tmpdir(), 'gone-submit-'))
})

afterAll(async () => {
  await server.stop()
  await redis.stop()
  await rm(folder, { recursive: true, force: true })
})

const gone = (...args: string[]) => runCli(args, { GONE_URL: server.url })

describe('gone submit', () => {
  it('submits once, says when nobody takes it, and what is there before', async () => {
    const round = randomUUID()
    const first = await gone('submit', 'nobody', 'cli', round, '--data', '{"a":1}')
    expect(first).toEqual({
      code: 0,
      stdout: 'submitted to nobody\n',
      stderr: 'no worker serves nobody now: it waits until one does\n',
    })
    const again = await gone('submit', 'nobody', 'cli', round, '--data', '{"a":2}')
    expect([again.code, again.stdout]).toEqual([0, 'there before: no worker has started it\n'])
    expect(again.stderr).toContain('which is kept')
    const { stdout } = await gone('submit', 'nobody', 'cli', round, '--data', '{"a":1}', '--json')
    expect(JSON.parse(stdout)).toMatchObject({
      isFirst: false,
      isConflict: false,
      warning: 'no-worker',
      round: { state: 'submitted' },
    })
  })

  it('takes the data from a file or stdin, and waits for the end', async () => {
    const worker = `echo-${randomUUID().slice(0, 8)}`
    await startTestWorkers(
      redis,
      {
        [worker]: async ({ data }) => {
          if (data === 'bad') throw new Error('no good')
          return data
        },
      },
      { attempts: 1 },
    )
    const file = join(folder, 'data.json')
    await writeFile(file, '{"from":"file"}')
    const filed = await gone('submit', worker, 'cli', randomUUID(), '--data-file', file, '--wait', '60s')
    expect([filed.code, filed.stdout]).toEqual([0, expect.stringContaining('{"from":"file"}')])
    const piped = await endOf(
      spawnCli(
        ['submit', worker, 'cli', randomUUID(), '--data-file', '-', '--wait', '60s', '--json'],
        { GONE_URL: server.url },
        { stdin: '{"from":"stdin"}' },
      ),
    )
    expect(piped.code).toBe(0)
    expect(JSON.parse(piped.stdout)).toMatchObject({ completion: { result: { from: 'stdin' } } })
    const failed = await gone('submit', worker, 'cli', randomUUID(), '--data', '"bad"', '--wait', '60s')
    expect([failed.code, failed.stdout]).toEqual([1, expect.stringContaining('no good')])
  }, 120_000)

  it('says in one line what is wrong with the data', async () => {
    const missing = await gone('submit', 'hello', 'cli', 'x', '--data-file', join(folder, 'none.json'))
    expect([missing.code, missing.stderr]).toEqual([2, expect.stringContaining('--data-file: cannot read')])
    const file = join(folder, 'bad.json')
    await writeFile(file, '{"a":')
    const bad = await gone('submit', 'hello', 'cli', 'x', '--data-file', file)
    expect([bad.code, bad.stderr]).toEqual([2, expect.stringContaining('expected JSON')])
  })
})

describe('gone call', () => {
  it('prints what the handler returns, or why there is nothing', async () => {
    const worker = `up-${randomUUID().slice(0, 8)}`
    const none = await gone('call', worker, '--data', '"a"')
    expect([none.code, none.stderr]).toEqual([2, expect.stringContaining('no worker takes its jobs now')])
    await startTestWorkers(redis, {
      [worker]: ({ data }) => {
        if (data === 'bad') throw new Error('no good')
        return { up: String(data).toUpperCase() }
      },
    })
    await expect.poll(async () => (await gone('call', worker, '--data', '"a"')).stdout).toBe('{"up":"A"}\n')
    const failed = await gone('call', worker, '--data', '"bad"', '--once', '--json')
    expect([failed.code, JSON.parse(failed.stdout)]).toEqual([
      1,
      { outcome: 'failed', reason: `${worker}: no good` },
    ])
  }, 60_000)
})
