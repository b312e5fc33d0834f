import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { freeLoopbackPort } from '../../src/embedded/redis-child.ts'
import { putRedisIn, type RedisPrograms } from '../support/redis-programs.ts'
import { putGoneIn, ROOT } from '../support/snippets.ts'

let folder: string
let page: string
let programs: RedisPrograms
/** Of what the chapter starts, by the names that it gives them; and of the Redis that is moved to. */
let ports: ReadonlyMap<string, number>
const groups: number[] = []

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gone-sitting-'))
  page = await readFile(join(ROOT, 'docs/operate.md'), 'utf8')
  const bin = join(folder, 'bin')
  await Promise.all([mkdir(bin), mkdir(join(folder, 'node_modules'))])
  await symlink(ROOT, join(folder, 'node_modules/gone'))
  programs = await putRedisIn(bin)
  const names = ['ONE', 'TWO', 'THREE', 'REDIS', 'CHAT', 'PROMETHEUS', 'NEW']
  ports = new Map(await Promise.all(names.map(async (name) => [name, await freeLoopbackPort()] as const)))
})

afterAll(async () => {
  for (const group of groups)
    try {
      process.kill(-group, 'SIGKILL')
    } catch {
      // It has ended by itself.
    }
  await Promise.all([ports.get('REDIS'), ports.get('NEW')].map((port) => shutDown(port ?? 0)))
  await programs.remove()
  await rm(folder, { recursive: true, force: true })
})

async function shutDown(port: number): Promise<void> {
  const client = new Redis(port, { retryStrategy: () => null, lazyConnect: true })
  client.on('error', () => {})
  await client
    .connect()
    .then(() => client.shutdown('NOSAVE'))
    .catch(() => {})
  client.disconnect()
}

/** What the page shows after a marker, as it stands. */
function linesOf(marker: string): string {
  const blocks = page.matchAll(new RegExp(`<!-- ${marker} -->\\n\\n *\`\`\`sh\\n([\\s\\S]*?)\`\`\``, 'g'))
  const lines = [...blocks].map(([, block = '']) => block).join('\n')
  expect(lines, marker).not.toBe('')
  return lines
}

/** The same names as the page sets, each with a port that is free. */
function setPorts(): string {
  return linesOf('sitting: ports').replace(
    /\b([A-Z]+)=\d+/g,
    (_, name: string) => `${name}=${ports.get(name)}`,
  )
}

/** Runs them in one shell, as somebody at a terminal would, up to the first that fails. Only what waits looks more often. */
async function sit(...lines: readonly string[]): Promise<void> {
  const bin = join(folder, 'bin')
  const { GONE_URL: _, ...env } = await putGoneIn(bin, '')
  const text = ['set -ex', ...lines]
    .join('\n')
    .replaceAll('sleep 1;', 'sleep 0.4;')
    .replace('scrape_interval: 5s', 'scrape_interval: 1s')
  const shell = spawn('bash', ['-c', text], {
    cwd: folder,
    env: { ...env, ...programs.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  groups.push(shell.pid ?? 0)
  let said = ''
  for (const stream of [shell.stdout, shell.stderr])
    stream.on('data', (chunk: Buffer) => {
      said = `${said}${chunk}`.slice(-4_000)
    })
  const [code] = (await once(shell, 'exit')) as [number | null]
  expect(code, said).toBe(0)
}

it('goes from an empty folder to a backup restored, and to another Redis, by the lines of the page', async () => {
  await sit(
    setPorts(),
    linesOf('sitting'),
    'gone elect kept before --candidate me && gone complete kept before --candidate me',
    linesOf('backup'),
    'gone elect kept after --candidate me',
    linesOf('sitting: lose'),
    linesOf('restore'),
    linesOf('sitting: after'),
    'gone completed kept before && gone schedule get mail nightly',
    'if gone elected kept after; then echo "it is no older backup"; exit 9; fi',
    // It goes on as ever: with an AOF of what was restored.
    'redis-cli -u $REDIS_URL CONFIG GET appendonly | grep yes',
    `mkdir new && redis-server --port ${ports.get('NEW')} --bind 127.0.0.1 --dir new --appendonly yes --daemonize yes`,
    `NEW_URL=redis://127.0.0.1:${ports.get('NEW')}; until redis-cli -u $NEW_URL PING; do sleep 1; done`,
    'kill $(jobs -p); wait',
    linesOf('move'),
    'redis-cli -u redis://127.0.0.1:$REDIS SHUTDOWN',
    'gone serve --port $ONE >> moved.log & until gone ready; do sleep 1; done',
    'gone completed kept before && gone schedule get mail nightly',
    'kill $(jobs -p); wait',
  )
  const [opened, resolved, ...more] = (await readFile(join(folder, 'chat.log'), 'utf8')).trimEnd().split('\n')
  expect(opened).toMatch(/^\{"text":"mail\/broken: failed, slot [^"]*: no mail"\}$/)
  expect(resolved).toMatch(/^\{"text":"mail\/broken: failed is resolved: the schedule was removed/)
  expect(more).toEqual([])
}, 300_000)
