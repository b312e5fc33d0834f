import { once } from 'node:events'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readConfig } from '../../src/config.ts'
import { redactor, withSecretFiles } from '../../src/secrets.ts'
import { runCli, spawnCli } from '../support/cli.ts'
import { makeKey } from '../support/keys.ts'
import { endOf, spawnProcess } from '../support/processes.ts'
import { builtPath, LOADER } from '../support/program.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { send } from '../support/requests.ts'
import { startServeProcess } from '../support/serve-process.ts'

const PASSWORD = 'p@ss/w:rd?"1'
let redis: TestRedis
let folder: string
let url: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gone-secrets-'))
  redis = await startRedis()
  const client = new Redis(redis.port)
  await client.config('SET', 'requirepass', PASSWORD)
  client.disconnect()
  url = `redis://:${encodeURIComponent(PASSWORD)}@127.0.0.1:${redis.port}`
})

afterAll(async () => {
  await redis.stop()
  await rm(folder, { recursive: true, force: true })
})

async function fileOf(name: string, text: string): Promise<string> {
  const file = join(folder, name)
  await writeFile(file, text, { mode: 0o600 })
  return file
}

/** No form of the secret. */
function expectNone(text: string, ...secrets: string[]): void {
  for (const secret of secrets) {
    for (const form of [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)])
      expect(text).not.toContain(form)
  }
}

describe('a secret in a file', () => {
  it('is read without the line end, by every setting that is secret', async () => {
    const file = await fileOf('redis', 'redis://:secret@host\n')
    expect(readConfig({ REDIS_URL_FILE: file }).redisUrl).toBe('redis://:secret@host')
    const gates = await fileOf('gates', 'redis://:a@x,redis://:b@y,redis://:c@z\n')
    expect(readConfig({ GATE_REDIS_URLS_FILE: gates }).gateUrls).toHaveLength(3)
    expect(withSecretFiles({ GONE_WEBHOOK_SECRET_FILE: file }).GONE_WEBHOOK_SECRET).toBe(
      'redis://:secret@host',
    )
  })

  it('is refused in one line if it is missing, empty, or given twice', async () => {
    const empty = await fileOf('empty', '\n')
    expect(() => readConfig({ REDIS_URL_FILE: join(folder, 'none') })).toThrow(
      /^REDIS_URL_FILE: cannot read [^\n]*none: ENOENT[^\n]*$/,
    )
    expect(() => readConfig({ REDIS_URL_FILE: empty })).toThrow(/^REDIS_URL_FILE: [^\n]*empty file$/)
    expect(() => readConfig({ REDIS_URL_FILE: empty, REDIS_URL: 'redis://:secret@host' })).toThrow(
      /^REDIS_URL: expected it or REDIS_URL_FILE, got both$/,
    )
    expect(() => readConfig({ GONE_PORT_FILE: empty })).toThrow('GONE_PORT_FILE: no such setting')
  })
})

describe('logs and errors', () => {
  it('of a server hold no password, key or token, also when Redis fails', async () => {
    const key = await makeKey({ url })
    const env = {
      REDIS_URL_FILE: await fileOf('url', url),
      GONE_LOG_LEVEL: 'debug',
      GONE_WEBHOOK_SECRET: 'hook-secret',
    }
    const child = spawnCli(['serve', '--port', '0'], env)
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (chunk) => {
        output += chunk
      })
    await expect.poll(() => /"url":"([^"]+)"/.exec(output)?.[1], { timeout: 30_000 }).toBeDefined()
    const server = /"url":"([^"]+)"/.exec(output)?.[1] ?? ''
    const ask = (path: string, headers = {}) =>
      send(server, { path, headers: { ...key.headers, ...headers } })
    expect((await ask('/api/v1/elect/a/b?candidate=token-of-mine')).status).toBe(202)
    const wrong = `gone_${key.id}_${'A'.repeat(43)}`
    const login = { method: 'POST', path: '/login', body: `key=${wrong}` }
    const form = { 'content-type': 'application/x-www-form-urlencoded', origin: server }
    expect((await send(server, { ...login, headers: form })).status).toBe(401)
    await redis.kill()
    const failed = await ask('/api/v1/elect/a/c?candidate=token-of-mine')
    expect(failed.status).toBe(500)
    await expect.poll(() => output, { timeout: 30_000 }).toContain('"path":"/api/v1/elect/a/c"')
    await redis.restart()
    child.kill('SIGTERM')
    await once(child, 'close')
    expectNone(output + failed.text, PASSWORD, key.text, wrong, 'token-of-mine', 'hook-secret')
  })

  it('of a start that fails hold no password', async () => {
    const wrong = `redis://me:${encodeURIComponent('other-pass')}@127.0.0.1:${redis.port}`
    for (const args of [['serve'], ['work'], ['key', 'list']]) {
      for (const env of [
        { REDIS_URL: wrong },
        { REDIS_URL: 'postgres://me:other-pass@host' },
        { REDIS_URL: 'redis://me:oth@er-pass@' },
      ]) {
        const child = spawnCli(args, env)
        let output = ''
        for (const stream of [child.stdout, child.stderr])
          stream?.on('data', (chunk) => {
            output += chunk
          })
        const killing = setTimeout(() => child.kill('SIGKILL'), 2_500)
        await once(child, 'close')
        clearTimeout(killing)
        expectNone(output, 'other-pass', 'er-pass')
      }
    }
  })

  it.each(['json', 'text'])(
    'of a secret that a time or an escape may hold are %s as ever',
    async (format) => {
      const settings = { REDIS_URL: 'redis://:1234@host', GONE_KEY: 'nabc', GONE_WEBHOOK_SECRET: 'a"b\\c' }
      const module = pathToFileURL(builtPath('src/log.ts')).href
      const script = `
      import { createLog } from ${JSON.stringify(module)}
      Date.now = () => 1700001234000
      const log = createLog('x', { logLevel: 'info', logFormat: '${format}' }, ${JSON.stringify(settings)})
      log.info({ at: 1234, of: '1234 or a"b\\\\c' }, 'one\\nabc')`
      const { stdout, stderr } = await endOf(
        spawnProcess({ args: [...LOADER, '--input-type=module', '-e', script] }),
      )
      expect(stderr).toBe('')
      if (format === 'json')
        expect(JSON.parse(stdout)).toMatchObject({
          time: 1_700_001_234_000,
          at: 1234,
          of: '*** or ***',
          msg: 'one\nabc',
        })
      else
        expect(stdout).toMatch(/^\d\d:\d\d:\d\d info {2}one\\u\{a\}abc {2}at=\*\*\* of="\*\*\* or \*\*\*"\n$/)
    },
  )

  it('are lines of JSON whatever a request holds', async () => {
    const redact = redactor({ REDIS_URL: 'redis://u:hush-hush@host', GONE_KEY: 'x' })
    expect(redact('a hush-hush b x')).toBe('a *** b x')
    expect(redact(`Bearer gone_0123456789ab_${'A'.repeat(43)}.`)).toBe('Bearer gone_0123456789ab_***.')
  })
})

describe('gone key', () => {
  const gone = (args: string[], env: Record<string, string> = {}) =>
    runCli(['key', ...args], { REDIS_URL: url, ...env })

  it('makes a key that is shown once, lists it without, and revokes it', async () => {
    const made = await gone([
      'create',
      '--name',
      'team blue',
      '--actions',
      'elect,read',
      '--systems',
      'blue-*',
      '--workers',
      'mail',
      '--expires',
      '90d',
    ])
    expect(made.code).toBe(0)
    expect(made.stdout).toMatch(/^gone_[0-9a-f]{12}_[\w-]{43}\n$/)
    expect(made.stderr).toMatch(
      /^key [0-9a-f]{12} of team blue: elect, read on blue-\*, to workers mail, until .*It is shown this once:\n$/,
    )
    const key = made.stdout.trim()
    const id = key.slice(5, 17)
    const listed = await gone(['list'])
    expect(listed.stdout).toContain(`${id}  `)
    expect(listed.stdout).not.toContain(key.slice(18))
    const client = new Redis(url)
    expect(JSON.stringify(await client.hgetall('gone:keys'))).not.toContain(key.slice(18))
    client.disconnect()
    expect(await gone(['revoke', id])).toMatchObject({
      code: 0,
      stdout: `revoked ${id}; no server takes it 10 s from now\n`,
    })
    expect(await gone(['revoke', key])).toMatchObject({ code: 1, stdout: `no key ${id}\n` })
  })

  it.each([
    [['create'], /--name/],
    [
      ['create', '--name', 'a', '--actions', 'all'],
      /actions: expected some of elect, submit, read, operate, work, admin, got "all"/,
    ],
    [['create', '--name', 'a', '--systems', 'a/b'], /systems: expected names/],
    [['create', '--name', 'a', '--workers', 'a b'], /workers: expected names/],
    [['create', '--name', 'a', '--expires', 'soon'], /expected a duration/],
    [['create', '--name', 'a', '--expires', '99999999d'], /of 3650d at the most/],
    [['revoke', 'x'], /id: expected 12 hexadecimal digits/],
  ])('refuses %j in one line', async (args, message) => {
    const run = await gone(args)
    expect([run.code, run.stdout]).toEqual([2, ''])
    expect(run.stderr).toMatch(message)
    expect(run.stderr).toMatch(/^[^\n]+\n$/)
  })

  it('lists keys also where one of an older build ends later than any date', async () => {
    const id = (await gone(['create', '--name', 'for ever', '--expires', '3650d'])).stdout.slice(5, 17)
    const client = new Redis(url)
    const stored = JSON.parse((await client.hget('gone:keys', id)) ?? '') as object
    await client.hset('gone:keys', id, JSON.stringify({ ...stored, x: 9e15 }))
    client.disconnect()
    const listed = await gone(['list'])
    expect([listed.code, listed.stderr]).toEqual([0, ''])
    expect(listed.stdout).toMatch(new RegExp(`^${id} .*, until \\+275760-09-13`, 'm'))
    expect((await gone(['revoke', id])).code).toBe(0)
  })

  it('makes the first key with no server and no Redis, for a server on all addresses', async () => {
    const home = join(folder, 'own')
    const made = await runCli(['key', 'create', '--name', 'first', '--actions', 'admin', '--json'], {
      GONE_DATA_DIR: home,
    })
    expect([made.code, made.stderr]).toEqual([0, ''])
    const listed = await runCli(['key', 'list', '--json'], { GONE_DATA_DIR: home })
    expect(JSON.parse(listed.stdout)).toMatchObject([{ name: 'first', actions: ['admin'], systems: ['*'] }])
    expect(made.stdout).toContain('"key":"gone_')
    expect(JSON.parse(made.stdout)).toMatchObject({ redis: `the Redis of ${home}` })
  })

  const KEY = ['key', 'create', '--name', 'lost']

  it.each([[KEY], [['key', 'list']], [['key', 'revoke', '5f2c9a01b7de']], [['key', 'sessions', '--end']]])(
    'refuses %j in a folder where no server has been: its key would be known to none',
    async (words) => {
      const empty = await mkdtemp(join(folder, 'empty-'))
      const run = await endOf(spawnCli(words, {}, { cwd: empty }))
      expect([run.code, run.stdout]).toEqual([2, ''])
      expect(run.stderr).toMatch(/^gone: REDIS_URL: .*gone serve.*no server has kept data in \S+\.gone\)\n$/)
      expect(await readdir(empty)).toEqual([])
    },
  )

  it('says which Redis has the key: one that is named, without its password, and that of a folder', async () => {
    const { stderr } = await runCli([...KEY, '--redis', url])
    expect(stderr).toContain(`It is in the Redis at redis://:***@127.0.0.1:${redis.port}, whose servers`)
    const home = await mkdtemp(join(folder, 'home-'))
    const server = await startServeProcess({ GONE_DATA_DIR: join(home, '.gone') })
    const beside = await endOf(spawnCli(KEY, {}, { cwd: home }))
    expect(beside.stderr).toContain(`It is in the Redis of ${join(home, '.gone')}, whose servers`)
    await server.stop()
    const after = await endOf(spawnCli(KEY, {}, { cwd: home }))
    expect([after.code, after.stderr]).toEqual([
      0,
      expect.stringContaining(`It is in the Redis of ${join(home, '.gone')}, `),
    ])
  })
})

describe('clients', () => {
  it('send the key of GONE_KEY, of its file and of --key-file, and say what is wrong without', async () => {
    const key = await makeKey({ url })
    const server = await startServeProcess({ REDIS_URL: url })
    const GONE_URL = server.url
    const file = await fileOf('key', `${key.text}\n`)
    const args = ['elected', 'keys', 'round']
    expect(await runCli(args, { GONE_URL })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('got none'),
    })
    expect((await runCli(args, { GONE_URL, GONE_KEY: key.text })).code).toBe(1)
    expect((await runCli(args, { GONE_URL, GONE_KEY_FILE: file })).code).toBe(1)
    expect((await runCli([...args, '--key-file', file], { GONE_URL })).code).toBe(1)
    const ran = await runCli(['once', '-s', 'keys', '-r', '1', '--', 'true'], {
      GONE_URL,
      GONE_KEY: key.text,
    })
    expect(ran.code).toBe(0)
    const bad = await runCli(args, { GONE_URL, GONE_KEY: 'nonsense word' })
    expect([bad.code, bad.stderr]).toEqual([2, expect.stringMatching(/key: expected an API key/)])
    expect(bad.stderr).not.toContain('nonsense word')
    await server.kill()
  })
})
