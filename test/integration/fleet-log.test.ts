import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { createClient, type GoneClient } from '../../src/client/client.ts'
import type { InstanceJson } from '../../src/core/fleet/fleet-wire.ts'
import type { FleetLogJson, LogLineJson } from '../../src/core/fleet/log-wire.ts'
import { runCli } from '../support/cli.ts'
import { startWorkProcess } from '../support/serve-process.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { registered, seenOn, startSupervisorProcess } from '../support/supervised.ts'

const TALKER = `export default async ({ data }) => {
  const line = 'x'.repeat(1_023) + '\\n'
  for (let n = 0; n < (data.kib ?? 0); n += 1)
    if (!process.stdout.write(line)) await new Promise((done) => process.stdout.once('drain', done))
  for (const said of data.says ?? []) console.log(said)
  if (data.complains) console.error(data.complains)
  if (data.dies) process.kill(process.pid, 'SIGKILL')
}\n`

let server: TestServer
let client: GoneClient
let redis: Redis
let folder: string
let hosts: readonly string[]
let all: readonly InstanceJson[]
const closers: (() => Promise<unknown>)[] = []
const followers: AbortController[] = []

beforeAll(async () => {
  server = await startTestServer()
  client = createClient({ url: server.url })
  redis = new Redis(server.redis.url)
  folder = await mkdtemp(join(tmpdir(), 'gone-talker-'))
  await writeFile(join(folder, 'talker.mjs'), TALKER)
  hosts = await Promise.all(
    ['log-a', 'log-b'].map(async (host) => {
      const env = {
        REDIS_URL: server.redis.url,
        GONE_HOST_LABEL: host,
        GONE_WEBHOOK_SECRETS: 's1=hush-hush-hush',
      }
      const supervisor = await startSupervisorProcess(2, env, { folder })
      closers.push(() => supervisor.stop())
      return host
    }),
  )
  all = (await Promise.all(hosts.map((host) => seenOn(client, host, registered(2))))).flat()
})

afterEach(() => {
  for (const follower of followers.splice(0)) follower.abort()
})

afterAll(async () => {
  for (const close of closers.splice(0).reverse()) await close()
  await rm(folder, { recursive: true, force: true })
  await redis.quit()
})

/** One of the instances runs it, and has ended doing so. */
async function say(round: string, data: object): Promise<void> {
  await client.submit('said', round, { worker: 'talker', data })
  await client.wait('said', round)
}

/** All that somebody hears who follows from now on. */
async function follow(selection: Parameters<GoneClient['fleet']['log']>[0], text?: string) {
  const ending = new AbortController()
  followers.push(ending)
  const heard: LogLineJson[] = []
  const pages: FleetLogJson[] = []
  let begin = () => {}
  const begun = new Promise<void>((resolve) => {
    begin = resolve
  })
  const options = { signal: ending.signal, ...(text !== undefined && { text }) }
  void (async () => {
    for await (const page of client.fleet.followLog(selection, options)) {
      pages.push(page)
      heard.push(...page.lines)
      begin()
    }
  })().catch((error: unknown) => {
    if (!ending.signal.aborted) throw error
  })
  await begun
  return { heard, pages }
}

/** Who reads the events of this address, until it leaves. */
async function listen(address: string, headers: Record<string, string> = {}) {
  const ending = new AbortController()
  followers.push(ending)
  const { signal } = ending
  const answer = await fetch(address, { headers: { accept: 'text/event-stream', ...headers }, signal })
  let heard = ''
  void (async () => {
    for await (const part of answer.body?.pipeThrough(new TextDecoderStream()) ?? []) heard += part
  })().catch((error: unknown) => {
    if (!signal.aborted) throw error
  })
  const all = (name: string) =>
    heard
      .split('\n')
      .filter((line) => line.startsWith(`${name}: `))
      .map((line) => line.slice(name.length + 2))
  return {
    names: () => all('event'),
    begun: () => all('id')[0] ?? '',
    last: () => all('id').at(-1) ?? '',
    texts: () => all('data').flatMap((data) => textsOf((JSON.parse(data) as FleetLogJson).lines)),
    leave: () => ending.abort(),
  }
}

const textsOf = (lines: readonly LogLineJson[]) => lines.map(({ text }) => text)

it('shows what was printed before anybody looked, of all instances together, and finds a text in it', async () => {
  const found = await client.fleet.log({ host: 'log-*' })
  expect(found.silent).toEqual([])
  const working = found.lines.filter(({ text }) => text.includes('"msg":"working"'))
  expect(new Set(working.map(({ instance }) => instance))).toEqual(new Set(all.map(({ id }) => id)))
  const times = found.lines.map(({ at }) => Date.parse(at))
  expect(times).toEqual([...times].sort((a, b) => a - b))
  for (const { at } of found.lines) expect(Math.abs(Date.parse(at) - Date.now())).toBeLessThan(120_000)
  const searched = await client.fleet.log({ host: 'log-*' }, { text: '"MSG":"Working"' })
  expect(searched.lines).toHaveLength(4)
  expect(
    (await client.fleet.log({ host: 'log-*' }, { text: '"msg":"working"', lines: 1 })).lines,
  ).toHaveLength(1)
  expect(
    (await client.fleet.log({ id: all[0]?.id ?? '' })).lines.every(({ instance }) => instance === all[0]?.id),
  ).toBe(true)
})

it('tells who follows each line once, in its order, also of an instance that dies by it', async () => {
  const { heard } = await follow({ host: 'log-*' }, 'counted-')
  const says = Array.from({ length: 500 }, (_, n) => `counted-${n} of it`)
  await say('counted', { says, complains: 'counted-bad' })
  const count = () => heard.length
  await expect.poll(count, { timeout: 30_000 }).toBe(501)
  // The two streams of a process are pipes of their own.
  expect(textsOf(heard.filter(({ error }) => !error))).toEqual(says)
  expect(textsOf(heard.filter(({ error }) => error))).toEqual(['counted-bad'])
  await client.submit('said', 'dies', {
    worker: 'talker',
    data: { says: ['counted-last-words'], dies: true },
    ifExecutorDies: 'fail',
  })
  await expect
    .poll(() => textsOf(heard).filter((text) => text === 'counted-last-words'), { timeout: 30_000 })
    .toHaveLength(1)
  const died = heard.find(({ text }) => text === 'counted-last-words')?.instance ?? ''
  expect(textsOf((await client.fleet.log({ id: died }, { text: 'last-words' })).lines)).toEqual([
    'counted-last-words',
  ])
})

it('counts what it leaves out of one that prints without end, whose neighbours are heard all the same', async () => {
  const { heard, pages } = await follow({ host: 'log-*' }, 'neighbour-')
  await client.submit('said', 'flood', { worker: 'talker', data: { kib: 60_000 } })
  await say('neighbour', { says: ['neighbour-1', 'neighbour-2'] })
  await expect.poll(() => textsOf(heard), { timeout: 30_000 }).toEqual(['neighbour-1', 'neighbour-2'])
  expect(await client.wait('said', 'flood')).toMatchObject({ state: 'completed' })
  const dropped = () => pages.flatMap((page) => page.dropped)
  await expect.poll(() => dropped().length, { timeout: 30_000 }).toBeGreaterThan(0)
  const keys = await redis.keys('gone:{~fleet}:log:*')
  const sizes = await Promise.all(keys.map((key) => redis.memory('USAGE', key)))
  expect(sizes.length).toBeGreaterThan(0)
  // 128 KB are kept of each.
  for (const bytes of sizes) expect(bytes).toBeLessThan(400_000)
})

it('shows no secret, nobody without a supervisor, and says how many those are', async () => {
  await say('secret', { says: ['told hush-hush-hush aloud'] })
  await expect
    .poll(async () => textsOf((await client.fleet.log({ host: 'log-*' }, { text: 'aloud' })).lines), {
      timeout: 30_000,
    })
    .toEqual(['told *** aloud'])
  const alone = await startWorkProcess(folder, { REDIS_URL: server.redis.url, GONE_HOST_LABEL: 'log-alone' })
  await seenOn(client, 'log-alone', registered(1))
  expect(await client.fleet.log({ host: 'log-alone' })).toMatchObject({ lines: [], unread: 1, silent: [] })
  const run = await runCli(['fleet', 'log', '--host', 'log-alone', '--server', server.url])
  expect([run.code, run.stderr]).toEqual([1, expect.stringContaining('1 run without a supervisor')])
  // It would run what the others are to print.
  await alone.stop()
})

it('shows what is as grave as is asked for, whichever logger has written it', async () => {
  const says = ['graded {"level":50}', '{"level":50,"msg":"graded"}', '{"level":30,"msg":"graded"}']
  await say('graded', { says: [...says, 'WARN graded', 'graded as it is'], complains: 'graded badly' })
  const graded = async (level?: 'debug' | 'warn' | 'error') => {
    const asked = { text: 'graded', ...(level && { level }) }
    return textsOf((await client.fleet.log({ host: 'log-*' }, asked)).lines).filter(
      (text) => !text.includes('"round"'),
    )
  }
  await expect.poll(async () => (await graded()).length, { timeout: 60_000 }).toBe(6)
  expect((await graded('debug')).length).toBe(6)
  expect((await graded('warn')).toSorted()).toEqual(['WARN graded', 'graded badly', says[1]].toSorted())
  expect((await graded('error')).toSorted()).toEqual(['graded badly', says[1]].toSorted())
  const run = await runCli([
    'fleet',
    'log',
    '--level',
    'error',
    '--text',
    'graded',
    '--json',
    '--server',
    server.url,
  ])
  expect(run.stdout).toContain('"level":"error"')
  expect(run.stdout).not.toContain('WARN graded')
})

it('goes on as server-sent events, from where a listener was, or with a reset', async () => {
  await say('before', { says: ['streamed-1'] })
  const path = `${server.url}/api/v1/fleet/log?host=log-*&text=streamed-`
  const first = await listen(path)
  await expect.poll(() => first.texts(), { timeout: 60_000 }).toEqual(['streamed-1'])
  await say('while', { says: ['streamed-2'] })
  await expect.poll(() => first.texts(), { timeout: 60_000 }).toEqual(['streamed-1', 'streamed-2'])
  first.leave()
  await say('meanwhile', { says: ['streamed-3'] })
  const again = await listen(`${path}&after=${first.begun()}`, { 'last-event-id': first.last() })
  await expect.poll(() => again.texts(), { timeout: 60_000 }).toEqual(['streamed-3'])
  expect(new Set(again.names())).toEqual(new Set(['lines']))
  const lost = await listen(path, { 'last-event-id': 'another.7' })
  const all = ['streamed-1', 'streamed-2', 'streamed-3']
  await expect.poll(() => lost.texts(), { timeout: 60_000 }).toEqual(all)
  expect(lost.names()[0]).toBe('reset')
})

it('is what gone fleet log prints', async () => {
  await say('printed', { says: ['printed \u001b[31mred'] })
  const [first] = all
  const asked = async () => textsOf((await client.fleet.log({ host: 'log-*' }, { text: '[31MRED' })).lines)
  await expect.poll(asked, { timeout: 60_000 }).toHaveLength(1)
  const run = await runCli(['fleet', 'log', '--host', 'log-*', '--text', '[31MRED', '--server', server.url])
  expect(run.stdout).toMatch(/^\S+Z [0-9a-f]{12}\| printed \\u\{1b\}\[31mred\n$/)
  const json = await runCli(['fleet', 'log', first?.id ?? '', '-n', '1', '--json', '--server', server.url])
  expect(JSON.parse(json.stdout)).toMatchObject({ instance: first?.id })
  const none = await runCli(['fleet', 'log', '--text', 'never printed', '--server', server.url])
  expect([none.code, none.stdout]).toEqual([1, ''])
})
