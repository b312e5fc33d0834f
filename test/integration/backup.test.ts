import { execFile, spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { freeLoopbackPort } from '../../src/embedded/redis-child.ts'
import { defaultCacheDir, findRedisServer } from '../../src/embedded/redis-server.ts'
import { createClient } from '../../src/index.ts'
import type { TestRedis } from '../support/redis.ts'
import { startTestServer } from '../support/server.ts'
import { ROOT } from '../support/snippets.ts'

const run = promisify(execFile)

/** As much of redis-cli as the lines need: not every machine has one, and this asks our port. */
const CLI = `import { Redis } from 'ioredis'
const words = process.argv.slice(2).filter((word) => word !== '--raw')
const client = new Redis(Number(process.env.PORT), { retryStrategy: () => null, lazyConnect: true })
client.on('error', () => {})
try {
  await client.connect()
  console.log([await client.call(...words)].flat().join('\\n'))
} catch (error) {
  console.error(String(error))
  process.exitCode = words[0] === 'SHUTDOWN' ? 0 : 1
}
client.disconnect()
`

let folder: string
let port: number
let env: NodeJS.ProcessEnv

beforeAll(async () => {
  const binary = await findRedisServer({
    cacheDir: defaultCacheDir(process.env, homedir()),
    env: process.env,
    say: () => {},
  })
  folder = await mkdtemp(join(tmpdir(), 'gone-backup-'))
  port = await freeLoopbackPort()
  await writeFile(
    join(folder, 'redis.conf'),
    `port ${port}\nbind 127.0.0.1\ndir ${folder}\nlogfile ${folder}/log\nappendonly yes\nappendfsync always\nsave ""\n`,
  )
  await writeFile(join(ROOT, '.built', `redis-cli-${process.pid}.mjs`), CLI)
  const shims = {
    'redis-server': `exec '${binary.path}' "$@"`,
    'redis-cli': `exec '${process.execPath}' '${join(ROOT, '.built', `redis-cli-${process.pid}.mjs`)}' "$@"`,
  }
  for (const [name, line] of Object.entries(shims))
    await writeFile(join(folder, name), `#!/bin/sh\n${line}\n`, { mode: 0o755 })
  env = {
    ...process.env,
    ...binary.env,
    PATH: `${folder}:${process.env.PATH}`,
    PORT: String(port),
    DIR: folder,
  }
})

afterAll(async () => {
  const client = new Redis(port, { retryStrategy: () => null, lazyConnect: true })
  client.on('error', () => {})
  await client.connect().then(
    () => client.shutdown('NOSAVE').catch(() => {}),
    () => {},
  )
  client.disconnect()
  await rm(join(ROOT, '.built', `redis-cli-${process.pid}.mjs`), { force: true })
  await rm(folder, { recursive: true, force: true })
})

/** The lines that the chapter shows after a marker, as they stand. */
async function linesAfter(marker: string): Promise<string> {
  const operate = await readFile(join(ROOT, 'docs/operate.md'), 'utf8')
  const [, lines = ''] =
    new RegExp(`<!-- ${marker} -->\\n\\n *\`\`\`sh\\n([\\s\\S]*?)\`\`\``).exec(operate) ?? []
  expect(lines.split('\n').length).toBeGreaterThan(3)
  return lines
}

const sh = (lines: string) => run('sh', ['-e', '-c', lines], { cwd: folder, env, timeout: 60_000 })

it('is made and restored by the lines of the chapter, with all that it had', async () => {
  spawn('redis-server', ['redis.conf'], { cwd: folder, env, stdio: 'ignore' }).unref()
  const redis = { port, url: `redis://127.0.0.1:${port}` } as TestRedis
  await sh('until redis-cli PING | grep -q PONG; do sleep 1; done')
  const server = await startTestServer({ redis })
  const client = createClient({ url: server.url })
  await client.elect('kept', 'before')
  await client.complete('kept', 'before', { result: 1 })
  await client.schedules.put('kept', 'nightly', { cron: '0 2 * * *' })
  await sh(await linesAfter('backup'))
  await client.elect('kept', 'after')
  await server.stop()
  await sh('redis-cli SHUTDOWN')
  await sh(await linesAfter('restore'))
  await sh('until redis-cli PING | grep -q PONG; do sleep 1; done')

  const restored = await startTestServer({ redis })
  const again = createClient({ url: restored.url })
  expect(await again.completed('kept', 'before')).toMatchObject({ completion: { result: 1 } })
  expect(await again.elected('kept', 'after')).toBeUndefined()
  expect(await again.schedules.get('kept', 'nightly')).toMatchObject({ cron: '0 2 * * *' })
  expect((await fetch(`${restored.url}/readyz`)).status).toBe(200)
  await restored.stop()
  // It goes on as ever: with an AOF of what was restored.
  expect((await sh('redis-cli CONFIG GET appendonly')).stdout).toContain('yes')
})
