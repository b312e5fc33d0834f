import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { hostname, tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { mountSmallDisk } from '../../chaos/small-disk.ts'
import { openAuditLog } from '../../src/app/audit-log.ts'
import { runCli } from '../support/cli.ts'
import { makeKey } from '../support/keys.ts'
import { notedLog } from '../support/noted-log.ts'
import { startRedis } from '../support/redis.ts'
import { send } from '../support/requests.ts'
import { startTestServer } from '../support/server.ts'

it('has a line for each change, with who made it, and none for what was refused', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'gone-audit-'))
  const path = join(folder, 'audit.log')
  const redis = await startRedis()
  const admin = await makeKey(redis, { actions: ['admin'] })
  const reader = await makeKey(redis, { actions: ['read'] })
  const server = await startTestServer({ redis, env: { GONE_AUDIT_LOG: path, GONE_BOARD: 'read-write' } })
  const ask = async (method: string, to: string, key = admin, headers = {}, body?: string) =>
    (
      await send(server.url, {
        method,
        path: to,
        headers: { ...key.headers, ...headers },
        ...(body && { body }),
      })
    ).status
  const json = { 'content-type': 'application/json' }
  const form = { 'content-type': 'application/x-www-form-urlencoded', origin: server.url }

  expect(await ask('GET', '/api/v1/elect/a/1?candidate=hidden')).toBe(202)
  expect(await ask('POST', '/api/v1/elect/a/1')).toBe(204)
  // The same path, written in other ways.
  expect(await ask('GET', '/api/v1/%65lect/a/4')).toBe(202)
  expect(await ask('GET', 'http://any/api/v1/complete/a/4')).toBe(200)
  expect(await ask('POST', '/api/v1/elect/a/2', reader)).toBe(403)
  expect(await ask('GET', '/api/v1/rounds', reader)).toBe(200)
  expect(await ask('POST', '/api/v1/complete/a/1?candidate=hidden')).toBe(200)
  expect(await ask('POST', '/api/v1/submit/a/3', admin, json, '{"data":"payload"}')).toBe(202)
  expect(await ask('PUT', '/api/v1/schedules/a/b', admin, json, '{"every":"1h","job":{}}')).toBeLessThan(300)
  expect(await ask('PUT', '/api/v1/schedules/a/b', admin, json, '{"every":')).toBe(400)
  const week = { from: '2026-11-01T00:00:00Z', to: '2026-11-01T02:00:00Z', dryRun: true }
  expect(await ask('POST', '/api/v1/schedules/a/b/backfill', admin, json, JSON.stringify(week))).toBe(200)
  expect(await ask('POST', '/api/v1/schedules/a/b/preview', admin, json, '{"every":"1h","job":{}}')).toBe(200)
  expect(await ask('DELETE', '/api/v1/schedules/a/b')).toBe(204)
  expect(await ask('PUT', '/api/v1/expectations/a/c', admin, json, '{"every":"1h","grace":"5m"}')).toBe(201)
  expect(await ask('DELETE', '/api/v1/expectations/a/c')).toBe(204)
  expect(
    await ask('PUT', '/api/v1/fleet/pools/mail', admin, json, '{"workers":["echo"],"instances":1}'),
  ).toBe(200)
  expect(await ask('DELETE', '/api/v1/fleet/pools/mail')).toBe(204)
  const pulse = '{"id":"py-1","host":"h","pid":1,"workers":[{"name":"echo","slots":1,"running":0}]}'
  expect(await ask('POST', '/api/v1/fleet/pulse', admin, json, pulse)).toBe(200)
  const order = '{"do":"restart","all":true,"dryRun":true}'
  expect(await ask('POST', '/api/v1/fleet/orders', admin, json, order)).toBe(200)
  expect(await ask('POST', '/api/v1/take/echo')).toBe(204)
  expect(await ask('POST', '/api/v1/elected/a/1')).toBe(200)
  expect(await ask('PUT', '/board/api/queues/rounds/pause', admin, { origin: server.url })).toBe(200)
  expect(await ask('PUT', '/board/api/queues/rounds/pause', reader, { origin: server.url })).toBe(403)
  expect(await ask('POST', '/login', admin, form, `key=${reader.text}`)).toBe(303)
  await server.stop()

  const text = await readFile(path, 'utf8')
  const lines = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, string>)
  const by = (key: string, method: string, to: string, status: number) => ({
    time: expect.stringMatching(/^\d{4}-.*Z$/),
    key,
    address: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
    method,
    path: to,
    status,
  })
  expect(lines).toEqual([
    by(admin.id, 'GET', '/api/v1/elect/a/1', 202),
    by(admin.id, 'GET', '/api/v1/%65lect/a/4', 202),
    by(admin.id, 'GET', 'http://any/api/v1/complete/a/4', 200),
    by(admin.id, 'POST', '/api/v1/complete/a/1', 200),
    by(admin.id, 'POST', '/api/v1/submit/a/3', 202),
    by(admin.id, 'PUT', '/api/v1/schedules/a/b', expect.any(Number) as unknown as number),
    by(admin.id, 'DELETE', '/api/v1/schedules/a/b', 204),
    by(admin.id, 'PUT', '/api/v1/expectations/a/c', 201),
    by(admin.id, 'DELETE', '/api/v1/expectations/a/c', 204),
    by(admin.id, 'PUT', '/api/v1/fleet/pools/mail', 200),
    by(admin.id, 'DELETE', '/api/v1/fleet/pools/mail', 204),
    by(admin.id, 'POST', '/api/v1/fleet/pulse', 200),
    by(admin.id, 'PUT', '/board/api/queues/rounds/pause', 200),
    by(reader.id, 'POST', '/login', 303),
  ])
  expect(text).not.toMatch(/hidden|payload|_[\w-]{43}/)
  expect((await stat(path)).mode & 0o777).toBe(0o600)
  await expect(
    startTestServer({ redis, env: { GONE_AUDIT_LOG: join(folder, 'none', 'a') } }),
  ).rejects.toThrow(/^GONE_AUDIT_LOG: cannot write/)
  await redis.stop()
  await rm(folder, { recursive: true })
})

it('has a line for each change of gone key, and refuses to change what it could not write down', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'gone-audit-'))
  const path = join(folder, 'audit.log')
  const redis = await startRedis()
  const gone = (args: string[], log = path) =>
    runCli(['key', ...args], { REDIS_URL: redis.url, GONE_AUDIT_LOG: log })
  const made = await gone(['create', '--name', 'hush', '--actions', 'read', '--systems', 'a', '--waits', '5'])
  const [, id = ''] = /^gone_([0-9a-f]{12})_/.exec(made.stdout) ?? []
  expect(made.code).toBe(0)
  for (const [args, code] of [
    [['list'], 0],
    [['revoke', '0123456789ab'], 1],
    [['sessions', '--end'], 0],
    [['disable', '--yes'], 1],
    [['revoke', id], 0],
    [['disable'], 1],
    [['disable', '--yes'], 0],
  ] as const)
    expect([args, (await gone([...args])).code]).toEqual([args, code])

  const text = await readFile(path, 'utf8')
  const by = (command: string, outcome: string, key?: string) => ({
    time: expect.stringMatching(/^\d{4}-.*Z$/),
    command,
    outcome,
    user: userInfo().username,
    host: hostname(),
    ...(key && { key }),
  })
  expect(
    text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as object),
  ).toEqual([
    by('gone key create', 'made: read on a; 5 waits', id),
    by('gone key revoke', 'revoked', id),
    by('gone key disable', 'no key is needed after a restart'),
  ])
  expect(text).not.toContain(made.stdout.trim().slice(18))
  expect((await stat(path)).mode & 0o777).toBe(0o600)

  const refused = await gone(['create', '--name', 'x'], join(folder, 'none', 'audit.log'))
  expect([refused.code, refused.stdout]).toEqual([2, ''])
  expect(refused.stderr).toMatch(/GONE_AUDIT_LOG: cannot write/)
  expect((await gone(['list'])).stdout).toBe('no keys\n')
  await redis.stop()
  await rm(folder, { recursive: true })
})

it('goes on once a full disk has room again, tells which lines it lacks, and gone key changes nothing meanwhile', async ({
  skip,
}) => {
  const folder = await mkdtemp(join(tmpdir(), 'gone-audit-'))
  // There are machines on which nobody may mount anything.
  const disk = await mountSmallDisk(folder, 2)
  if (!disk) return skip()
  const redis = await startRedis()
  try {
    const path = join(disk.seenAt, 'audit.log')
    const { log, lines: said } = notedLog()
    const audit = await openAuditLog(path, log)
    const change = (outcome: string) => ({ command: 'c', user: 'u', host: 'h', outcome })
    audit.note(change('one'))
    // So that the next does not fit: a page is full.
    await audit.write(change('x'.repeat(4_000)))
    await disk.fill()
    audit.note(change('lost'.repeat(1_000)))
    await expect(audit.write(change('refused'.repeat(1_000)))).rejects.toThrow(
      /^GONE_AUDIT_LOG: cannot write .*ENOSPC/,
    )
    expect(said.filter((line) => line.includes('audit log not written'))).toHaveLength(1)
    const gone = (...args: string[]) =>
      runCli(['key', ...args], { REDIS_URL: redis.url, GONE_AUDIT_LOG: path })
    const systems = Array.from({ length: 40 }, (_, n) => `${'long'.repeat(25)}${n}`).join(',')
    const refused = await gone('create', '--name', 'x', '--systems', systems)
    expect([refused.code, refused.stdout]).toEqual([2, ''])
    expect(refused.stderr).toMatch(/^gone: GONE_AUDIT_LOG: cannot write .*ENOSPC.*\n$/)
    expect((await gone('list')).stdout).toBe('no keys\n')
    await disk.makeRoom()
    audit.note(change('two'))
    await audit.stop()
    const whole = (await readFile(path, 'utf8'))
      .split('\n')
      .flatMap((line) => /"outcome":"(\w{1,6})"\}$/.exec(line)?.[1] ?? [])
    expect(whole).toEqual(['one', 'two'])
  } finally {
    await redis.stop()
    await disk.stop()
    await rm(folder, { recursive: true })
  }
})
