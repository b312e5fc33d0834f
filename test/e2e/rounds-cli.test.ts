import { once } from 'node:events'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { createClient } from '../../src/index.ts'
import { runCli, spawnCli } from '../support/cli.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let server: TestServer

beforeAll(async () => {
  server = await startTestServer()
  const client = createClient({ url: server.url })
  await client.elect('db', '2026-11-22', { name: 'anna', lease: '1h' })
  await client.complete('db', '2026-11-22', { result: { rows: 42 } })
  await client.fail('db', '2026-11-23', { reason: 'disk full' })
  await client.submit('mail', '17', { worker: 'mailer' })
})

const rounds = (...args: string[]) => runCli(['rounds', ...args], { GONE_URL: server.url })
const AT = '\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d(:\\d\\d)?'

describe('gone rounds', () => {
  it('lists rounds, newest first, within 80 columns', async () => {
    const { code, stdout, stderr } = await rounds()
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const lines = stdout.trimEnd().split('\n')
    expect(lines).toEqual([
      expect.stringMatching(/^state {6}round {10}who +came \(UTC\)$/),
      expect.stringMatching(new RegExp(`^submitted  mail/17 +for mailer +${AT}$`)),
      expect.stringMatching(new RegExp(`^failed     db/2026-11-23  127\\.0\\.0\\.1:\\d+ +${AT}$`)),
      expect.stringMatching(new RegExp(`^completed  db/2026-11-22  anna +${AT}$`)),
    ])
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(80)
  })

  it.each([
    [
      ['--system', 'db'],
      ['2026-11-23', '2026-11-22'],
    ],
    [['--state', 'failed'], ['2026-11-23']],
    [['--worker', 'mailer'], ['17']],
    [['--text', '11-22'], ['2026-11-22']],
    [['--limit', '1'], ['17']],
    [['list', '--system', 'none'], []],
  ])('finds them by %j', async (filter, names) => {
    const { code, stdout } = await rounds(...filter, '--json')
    expect(code).toBe(0)
    expect(JSON.parse(stdout).map(({ round }: { round: string }) => round)).toEqual(names)
  })

  it('says so where there are none, and what is wrong with a filter', async () => {
    expect(await rounds('--state', 'overdue')).toMatchObject({ code: 0, stdout: 'no overdue rounds\n' })
    expect(await rounds('--state', 'late')).toMatchObject({ code: 2, stdout: '' })
  })

  it('shows one, with how it had ended before', async () => {
    const client = createClient({ url: server.url })
    await client.fail('db', 'again', { reason: 'disk \u001b[31mfull' })
    await client.retry('db', 'again', { reason: 'a new disk' })
    const { code, stdout } = await rounds('show', 'db', 'again')
    expect(code).toBe(0)
    expect(stdout).toMatch(/^db\/again\n {2}state +open\n {2}now +open again, nobody leads it\n/)
    expect(stdout).toMatch(
      /\n {2}before +failed \S+Z by \S+: disk \\u\{1b\}\[31mfull; opened again \S+ by \S+, a new disk\n$/,
    )
    expect((await rounds('show', 'db', '2026-11-22')).stdout).toMatch(
      /\n {2}now +completed by .*: {"rows":42}\n/,
    )
    expect((await rounds('show', 'mail', '17')).stdout).toMatch(
      /\n {2}job +of mailer, submitted \S+Z, started 0 times\n/,
    )
    expect(await rounds('show', 'db', 'none')).toMatchObject({
      code: 1,
      stdout: 'db/none: nobody has led or submitted it\n',
    })
    expect(await rounds('show', 'db', 'none', '--json')).toMatchObject({ code: 1, stdout: 'null\n' })
  })

  it('says where more came between two looks than it shows, or one that has not ended is followed no more', async () => {
    const client = createClient({ url: server.url })
    const follower = spawnCli(['rounds', '--system', 'many', '--follow', '--every', '50ms', '--limit', '2'], {
      GONE_URL: server.url,
    })
    onTestFinished(() => void follower.kill('SIGKILL'))
    let [shown, said] = ['', '']
    follower.stdout?.on('data', (chunk) => {
      shown += chunk
    })
    follower.stderr?.on('data', (chunk) => {
      said += chunk
    })
    const run = async (round: string) => {
      await client.elect('many', round)
      await client.complete('many', round)
    }
    const hasShown = (round: string) =>
      expect.poll(() => shown).toMatch(new RegExp(`completed +many/${round} `))
    const runBetweenLooks = async (rounds: readonly string[]) => {
      follower.kill('SIGSTOP')
      for (const round of rounds) await run(round)
      follower.kill('SIGCONT')
      for (const round of rounds.slice(-2)) await hasShown(round)
    }
    for (const round of ['1', '2']) {
      await run(round)
      await hasShown(round)
    }
    expect(said).toBe('')
    // As many as it shows, all between two looks.
    await runBetweenLooks(['as-many-1', 'as-many-2'])
    await client.elect('many', '3')
    await expect.poll(() => shown).toContain('many/3')
    expect(said).toBe('')
    for (const round of ['4', '5']) {
      await client.elect('many', round)
      await expect.poll(() => shown).toContain(`many/${round}`)
    }
    const notAll = 'gone: more than 2 rounds came or go on: not all are shown (--limit)\n'
    await expect.poll(() => said).toContain(notAll)
    for (const round of ['4', '5']) await client.complete('many', round)
    await hasShown('5')
    await hasShown('4')
    said = ''
    let times = 0
    // The stop may come while a look is answered, which then has one of the three.
    const one = async () => {
      times += 1
      await runBetweenLooks([1, 2, 3].map((n) => `more-${times}-${n}`))
      return said
    }
    await expect.poll(one, { timeout: 60_000 }).toContain(notAll)
  }, 120_000)

  it('follows what comes and changes, until it is told to end', async () => {
    const client = createClient({ url: server.url })
    const follower = spawnCli(['rounds', '--system', 'news', '--follow', '--every', '50ms'], {
      GONE_URL: server.url,
    })
    onTestFinished(() => void follower.kill('SIGKILL'))
    let told = ''
    follower.stdout?.on('data', (chunk) => {
      told += chunk
    })
    const hears = (text: RegExp) => expect.poll(() => told, { timeout: 60_000 }).toMatch(text)
    await client.elect('news', '1')
    await hears(/^led {8}news\/1 {2}\S+ leads \(fence \d+\), led\n$/)
    await client.complete('news', '1')
    await hears(/\ncompleted {2}news\/1 {2}completed by \S+ \(fence \d+\)\n$/)
    expect(told.split('\n')).toHaveLength(3)
    follower.kill('SIGINT')
    expect(await once(follower, 'exit')).toEqual([0, null])
  }, 120_000)
})
