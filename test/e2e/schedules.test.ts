import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { RoundJson } from '../../src/core/rounds/round-wire.ts'
import { playDenseSlots } from '../support/dense-slots.ts'
import type { Process } from '../support/processes.ts'
import { builtPath } from '../support/program.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { expectProblem, send } from '../support/requests.ts'
import { callSchedules, dueMs } from '../support/schedules.ts'
import { startServeProcess, startWorkProcess } from '../support/serve-process.ts'

const EVERY_SECOND = { cron: '* * * * * *', job: { worker: 'probe', data: null } }

let redis: TestRedis
let admin: Redis
let processes: Process[]

beforeEach(async () => {
  redis = await startRedis()
  admin = new Redis(redis.port)
  admin.on('error', () => undefined)
  processes = []
})

afterEach(async () => {
  await Promise.all(processes.map((each) => each.kill()))
  admin.disconnect()
  await redis.stop()
})

async function serve(skewMs = 0): Promise<Process> {
  const started = await startServeProcess({ REDIS_URL: redis.url }, skewMs)
  processes.push(started)
  return started
}

async function work(): Promise<void> {
  processes.push(await startWorkProcess(builtPath('test/support/workers'), { REDIS_URL: redis.url }))
}

const urlOf = (server: Process | undefined) => callSchedules(server?.url ?? '')

/** No slot between the first and the last is missing. */
function expectNoGap(rounds: readonly RoundJson[]): void {
  const slots = rounds.map(dueMs)
  for (const [index, slot] of slots.entries())
    if (index > 0) expect(slot - (slots[index - 1] as number)).toBe(1_000)
}

/** Each round's job was started once, by counting in the worker itself. */
async function expectRunOnce(rounds: readonly RoundJson[]): Promise<void> {
  for (const { round } of rounds) {
    const key = `shop~${encodeURIComponent(round)}`
    await expect
      .poll(() => admin.llen(`probe:ended:${key}`), { timeout: 30_000, interval: 50 })
      .toBeGreaterThan(0)
    expect([round, await admin.llen(`probe:started:${key}`)]).toEqual([round, 1])
  }
}

describe('three facades', () => {
  it.each([
    ['with one clock', [0, 0, 0]],
    ['whose clocks are seconds apart', [7_000, 0, -7_000]],
    ['whose clocks are all ahead of Redis', [20_000, 20_000, 20_000]],
    ['whose clocks are all behind Redis', [-20_000, -20_000, -20_000]],
  ])(
    '%s submit every slot once, and each accounts for its own',
    async (_, skews) => {
      const servers = await Promise.all(skews.map(serve))
      await work()
      const api = urlOf(servers[0])
      const names = ['a', 'b', 'c', 'd']
      for (const name of names) expect((await api.put(name, EVERY_SECOND)).status).toBe(201)
      await expect
        .poll(async () => (await api.get('d')).counts.submitted, { timeout: 40_000 })
        .toBeGreaterThanOrEqual(10)
      let total = 0
      for (const name of names) {
        expect((await api.call('POST', `${name}/pause`)).status).toBe(200)
        // A slot that was on its way as the pause came is counted a moment later.
        await expect
          .poll(async () => (await api.rounds(name)).length - (await api.get(name)).counts.submitted)
          .toBe(0)
        const rounds = await api.rounds(name)
        expectNoGap(rounds)
        await expectRunOnce(rounds)
        total += rounds.length
      }
      const accounted = await Promise.all(
        servers.map((server) => urlOf(server).metric('gone_slots_total{outcome="submitted"}')),
      )
      expect(accounted.reduce((sum, each) => sum + each, 0)).toBe(total)
      for (const server of servers)
        expect(await urlOf(server).metric('gone_slots_total{outcome="missed"}')).toBe(0)
      // Nothing comes before its time by Redis' clock, and little of it late.
      for (const name of names)
        for (const round of await api.rounds(name)) {
          const latenessMs = Date.parse(round.job?.submittedAt ?? '') - dueMs(round)
          expect(latenessMs).toBeGreaterThanOrEqual(0)
          expect(latenessMs).toBeLessThan(20_000)
        }
    },
    90_000,
  )
})

describe('when all servers are killed over several slots', () => {
  it('one that starts again makes up for exactly the slots that were asked for', async () => {
    const [one, two] = await Promise.all([serve(), serve()])
    await work()
    const api = urlOf(one)
    await api.put('all', { ...EVERY_SECOND, catchUp: { window: '1h', max: 1_000 } })
    await api.put('few', { ...EVERY_SECOND, catchUp: { window: '1h', max: 3 } })
    await api.put('young', { ...EVERY_SECOND, catchUp: { window: '12s', max: 1_000 } })
    for (const name of ['all', 'few', 'young'])
      await expect
        .poll(async () => (await api.get(name)).counts.submitted, { timeout: 30_000 })
        .toBeGreaterThanOrEqual(2)
    await Promise.all([one?.kill(), two?.kill()])
    const killedAtMs = Date.now()
    await sleep(18_000) // the outage itself
    const back = urlOf(await serve())
    const isBack = async (name: string) => {
      const { last, counts } = await back.get(name)
      return Date.parse(last?.at ?? '') > killedAtMs + 18_000 && counts.submitted > 0
    }
    for (const name of ['all', 'few', 'young'])
      await expect.poll(() => isBack(name), { timeout: 30_000 }).toBe(true)
    for (const name of ['all', 'few', 'young']) await back.call('POST', `${name}/pause`)

    const all = await back.rounds('all')
    expectNoGap(all)
    expect((await back.get('all')).counts).toEqual({ submitted: all.length, skipped: 0, missed: 0 })

    /** What was submitted, and what was left out between. */
    async function caughtUp(name: string) {
      const rounds = await back.rounds(name)
      const { counts } = await back.get(name)
      const slots = rounds.map(dueMs)
      const span = ((slots.at(-1) as number) - (slots[0] as number)) / 1_000 + 1
      expect(counts).toEqual({ submitted: rounds.length, skipped: 0, missed: span - rounds.length })
      const first = rounds.findIndex(
        (round, index) => index > 0 && dueMs(round) - dueMs(rounds[index - 1] as RoundJson) > 1_000,
      )
      expect(first).toBeGreaterThan(0)
      expectNoGap(rounds.slice(0, first))
      expectNoGap(rounds.slice(first))
      const tickedAtMs = Date.parse(rounds[first]?.job?.submittedAt ?? '')
      return rounds
        .slice(first)
        .filter((round) => dueMs(round) <= tickedAtMs)
        .map((round) => tickedAtMs - dueMs(round))
    }
    const few = await caughtUp('few')
    const [, , third, ...later] = few
    // One more may have come due between the server's look and the first submission.
    expect(later.length).toBeLessThanOrEqual(4)
    expect(third).toBeLessThan(2_500 + 1_000 * later.length)
    const young = await caughtUp('young')
    expect(young[0]).toBeLessThan(16_000)
    expect(young[0]).toBeGreaterThan(10_900)
    for (const name of ['all', 'few', 'young']) await expectRunOnce(await back.rounds(name))
  }, 90_000)

  it('loses no slot and runs none twice while one of three is killed again and again', async () => {
    const { slots, counts, lost, notRun, runTwice, kills } = await playDenseSlots(redis, { lastsMs: 25_000 })
    expect({ lost, notRun, runTwice }).toEqual({ lost: [], notRun: [], runTwice: [] })
    expect(counts).toEqual({ submitted: slots, skipped: 0, missed: 0 })
    expect(slots).toBeGreaterThan(100)
    expect(kills).toBeGreaterThan(3)
  }, 120_000)
})

describe('while Redis is', () => {
  const troubles: [string, () => unknown, () => unknown][] = [
    ['dead', () => redis.kill(), () => redis.restart()],
    ['silent', () => redis.pause(), () => redis.resume()],
  ]

  it.each(troubles)(
    '%s, whoever asks is told to retry, and the slots go on when it is back',
    async (_, begin, end) => {
      const server = await serve()
      const api = urlOf(server)
      await api.put('going', EVERY_SECOND)
      await expect
        .poll(async () => (await api.get('going')).counts.submitted, { timeout: 30_000 })
        .toBeGreaterThan(1)
      await begin()
      const body = JSON.stringify(EVERY_SECOND)
      const range = JSON.stringify({ from: '2026-01-01T00:00:00Z', to: '2026-01-01T00:00:05Z' })
      const calls: [string, string, string?][] = [
        ['PUT', 'shop/new', body],
        ['PUT', 'shop/going', body],
        ['GET', 'shop/going'],
        ['DELETE', 'shop/going'],
        ['POST', 'shop/going/pause'],
        ['POST', 'shop/going/resume'],
        ['POST', 'shop/going/trigger', '{}'],
        ['POST', 'shop/going/backfill', range],
        ['GET', 'shop/going/next'],
      ]
      const asked = calls.map(([method, path, sent]) =>
        send(server.url, {
          method,
          path: `/api/v1/schedules/${path}`,
          ...(sent && { body: sent, headers: { 'content-type': 'application/json' } }),
        }),
      )
      asked.push(send(server.url, { path: '/api/v1/schedules' }))
      for (const answer of await Promise.all(asked)) {
        expect(expectProblem(answer, 'STORE_UNAVAILABLE')).toMatch(/not reachable|not answer in time/)
        expect(answer.tookMs).toBeLessThan(6_000)
      }
      await sleep(8_000) // the outage itself
      await end()
      const backAtMs = Date.now()
      // A command that was sent before may have been carried out: what was asked must be asked again.
      const isOn = async () => {
        const { status, json } = (await api.call('GET', 'going')) as unknown as {
          status: number
          json: { last?: { submittedAt: string } }
        }
        return status === 200 && Date.parse(json.last?.submittedAt ?? '') > backAtMs
      }
      const isRunning = async () => {
        if ((await api.call('GET', 'going')).status !== 200)
          await api.put('going', EVERY_SECOND).catch(() => {})
        await api.call('POST', 'going/resume').catch(() => {})
        return isOn()
      }
      await expect.poll(isRunning, { timeout: 30_000, interval: 100 }).toBe(true)
    },
    60_000,
  )
})
