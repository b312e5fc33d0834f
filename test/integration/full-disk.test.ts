import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { mountSmallDisk, type SmallDisk } from '../../chaos/small-disk.ts'
import { createClient } from '../../src/index.ts'
import { LogOutput } from '../../src/log-output.ts'
import { builtPath, LOADER, program } from '../support/program.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

let folder: string
let disk: SmallDisk | undefined
let redis: TestRedis

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gone-full-disk-'))
  // There are machines on which nobody may mount anything.
  disk = await mountSmallDisk(folder, 16)
  redis = await startRedis()
})

afterAll(async () => {
  await redis.stop()
  await disk?.stop()
  await rm(folder, { recursive: true, force: true })
})

/** A program of gone whose log is a file on that disk, as a shell has it append. */
function spawnLogging(words: readonly string[], file: string, env: Record<string, string>) {
  const log = openSync(file, 'a')
  const child = spawn(process.execPath, [...program('src/cli/main.ts'), ...words], {
    env: { PATH: process.env.PATH, REDIS_URL: redis.url, ...env },
    stdio: ['ignore', log, log],
  })
  closeSync(log)
  return { child, said: () => readFile(file, 'utf8') }
}

describe('with the disk of its log full', () => {
  it.for([
    ['one process', []],
    ['two', ['--processes', '2']],
  ] as const)(
    'a server of %s goes on, writes again once there is room, and drains',
    async ([name, words], { skip }) => {
      if (!disk) return skip()
      const env = { GONE_LOG_LEVEL: 'debug' }
      const { child, said } = spawnLogging(
        ['serve', '--port', '0', ...words],
        join(disk.seenAt, `${name}.log`),
        env,
      )
      try {
        await expect.poll(said).toContain('"msg":"listening"')
        const url = /"url":"([^"]+)"[^\n]*"msg":"listening"/.exec(await said())?.[1] ?? ''
        await disk.fill()
        const client = createClient({ url })
        for (let round = 0; round < 200; round += 1)
          expect((await client.elect('full', `${words.length}-${round}`)).leads).toBe(true)
        const before = (await said()).length
        await disk.makeRoom()
        expect((await client.elect('full', `${words.length}-room`)).leads).toBe(true)
        await expect.poll(async () => (await said()).length).toBeGreaterThan(before)
        // A line that two processes began to write when there was no room may be in pieces.
        if (name === 'one process') for (const line of (await said()).trim().split('\n')) JSON.parse(line)
        await disk.fill()
        expect((await client.elect('full', `${words.length}-again`)).leads).toBe(true)
        const ended = once(child, 'exit')
        child.kill('SIGTERM')
        expect(await ended).toEqual([0, null])
      } finally {
        child.kill('SIGKILL')
        await disk.makeRoom()
      }
    },
  )

  it('a log keeps what there is room for in memory, and says how many lines are lost', async ({ skip }) => {
    if (!disk) return skip()
    const file = join(disk.seenAt, 'lines.log')
    const fd = openSync(file, 'a')
    try {
      await disk.fill()
      const output = new LogOutput(fd, (lines) => output.write(`lost ${lines}\n`))
      const line = (n: number) => `${String(n).padStart(999, '0')}\n`
      for (let n = 0; n < 10_000; n += 1) output.write(line(n))
      await disk.makeRoom()
      output.write(line(10_000))
      const lines = async () => (await readFile(file, 'utf8')).split('\n').slice(0, -1)
      await expect.poll(async () => (await lines()).at(-1)).toMatch(/^lost \d+$/)
      const kept = (await lines()).slice(0, -1).map(Number)
      expect(kept.length).toBeGreaterThan(5_000)
      expect(kept).toEqual(Array.from(kept, (_, n) => n))
      expect((await lines()).at(-1)).toBe(`lost ${10_001 - kept.length}`)
    } finally {
      await disk.makeRoom()
      closeSync(fd)
    }
  })
})

describe('a log', () => {
  it('that nobody can write keeps no process from its end', async () => {
    const script = `
      import { LogOutput } from ${JSON.stringify(pathToFileURL(builtPath('src/log-output.ts')).href)}
      const output = new LogOutput(1, () => {})
      output.write('a\\n')
      setTimeout(() => { output.write('b\\n'); process.exit(3) }, 100)`
    const full = openSync('/dev/full', 'w')
    const child = spawn(process.execPath, [...LOADER, '--input-type=module', '-e', script], {
      stdio: ['ignore', full, 'inherit'],
    })
    closeSync(full)
    expect(await once(child, 'exit')).toEqual([3, null])
  })

  it.each(['file', 'pipe'] as const)(
    'has its last lines in a %s where the process is killed',
    async (kind) => {
      const script = `
      import { LogOutput } from ${JSON.stringify(pathToFileURL(builtPath('src/log-output.ts')).href)}
      process.stdout.isTTY
      const output = new LogOutput(1, () => {})
      for (let n = 0; n < 50; n += 1) output.write(n + '\\n')
      process.kill(process.pid, 'SIGKILL')`
      const file = join(folder, 'killed.log')
      const log = openSync(file, 'w')
      const child = spawn(process.execPath, [...LOADER, '--input-type=module', '-e', script], {
        stdio: ['ignore', kind === 'file' ? log : 'pipe', 'inherit'],
      })
      closeSync(log)
      let piped = ''
      child.stdout?.setEncoding('utf8').on('data', (text: string) => {
        piped += text
      })
      expect(await once(child, 'close')).toEqual([null, 'SIGKILL'])
      const text = kind === 'file' ? await readFile(file, 'utf8') : piped
      expect(text).toBe(Array.from({ length: 50 }, (_, n) => `${n}\n`).join(''))
    },
  )

  it('is read whole where the reader is slow and the process ends', async () => {
    const script = `
      import { LogOutput } from ${JSON.stringify(pathToFileURL(builtPath('src/log-output.ts')).href)}
      const output = new LogOutput(1, () => {})
      for (let n = 0; n < 2_000; n += 1) output.write(String(n).padStart(999, '0') + '\\n')
      setTimeout(() => process.exit(3), 100)`
    const child = spawn(process.execPath, [...LOADER, '--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const ended = once(child, 'exit')
    let text = ''
    for await (const chunk of child.stdout.setEncoding('utf8') as AsyncIterable<string>) text += chunk
    expect(await ended).toEqual([3, null])
    const lines = text
      .split('\n')
      .slice(0, -1)
      .map(Number)
      .sort((a, b) => a - b)
    expect(lines).toEqual(Array.from({ length: 2_000 }, (_, n) => n))
  })
})
