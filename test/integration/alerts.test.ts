import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { AlertJson, ExpectationBody } from '../../src/core/alerts/alert-wire.ts'
import { type AlertReceiver, startAlertReceiver } from '../support/alert-receiver.ts'
import { expectProblem, send } from '../support/requests.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

const JSON_TYPE = { 'content-type': 'application/json' }

let receiver: AlertReceiver
let server: TestServer
let other: TestServer

beforeAll(async () => {
  // The first request of all is refused.
  receiver = await startAlertReceiver((n) => (n === 1 ? 503 : 200))
  const env = { GONE_ALERT_URL: receiver.url, GONE_ALERT_SECRET: receiver.secret }
  server = await startTestServer({ env })
  other = await startTestServer({ env, redis: server.redis })
})

afterAll(async () => {
  await other.stop()
  await server.stop()
  await receiver.stop()
})

async function put(system: string, body: ExpectationBody, on = server) {
  const path = `/api/v1/expectations/${system}/daily`
  const answer = await send(on.url, { method: 'PUT', path, headers: JSON_TYPE, body: JSON.stringify(body) })
  expect(answer.text).not.toContain('code')
  return answer
}

async function remove(system: string) {
  return send(server.url, { method: 'DELETE', path: `/api/v1/expectations/${system}/daily` })
}

async function alertsOf(system: string, query = ''): Promise<AlertJson[]> {
  const { text } = await send(server.url, { path: `/api/v1/alerts?system=${system}${query}` })
  return (JSON.parse(text) as { alerts: AlertJson[] }).alerts
}

function call(step: string, system: string, round: string, query = '', token = 'anna', on = server) {
  const path = `/api/v1/${step}/${system}/${round}${query}`
  return send(on.url, { method: 'POST', path, headers: { 'gone-candidate': token } })
}

/** Waits until `afterMs` after the next slot of every so many seconds. What is put then is there well before its first slot. */
async function untilAfterSlot(seconds: number, afterMs: number): Promise<void> {
  const everyMs = seconds * 1_000
  const nowMs = Date.now()
  const slotMs = Math.ceil(nowMs / everyMs) * everyMs
  // Slots come by the clock, and nothing tells of one that nobody submits.
  await sleep(slotMs + afterMs - nowMs)
}

/** That nothing was told of the system's slots until then, and that somebody has looked: what comes no more is told. */
async function expectWatchedUntil(system: string, endedMs: number): Promise<void> {
  const { alert } = await receiver.told('opened', system)
  expect(alert.kind).toBe('missed')
  expect(Date.parse(alert.firstSlot)).toBeGreaterThan(endedMs - 1_000)
  expect(await alertsOf(system)).toHaveLength(1)
  await remove(system)
  await receiver.told('resolved', system)
}

let rounds = 0
/** Leads and completes a round of the system, again and again until stopped. */
function keepGood(system: string, everyMs: number): { stop(): Promise<void> } {
  let isOn = true
  const run = async () => {
    while (isOn) {
      rounds += 1
      await call('elect', system, `good-${rounds}`)
      await call('complete', system, `good-${rounds}`)
      // The rhythm of a service that does what is expected of it.
      await sleep(everyMs)
    }
  }
  const running = run()
  return {
    async stop() {
      isOn = false
      await running
    },
  }
}

describe.concurrent('a round that is expected', () => {
  it('and never comes is told once however often it does not, and again when one is good', async () => {
    const system = 'never-came'
    await put(system, { every: '1s', grace: '1s' })
    const opened = await receiver.told('opened', system)
    expect(opened).toMatchObject({
      id: `${opened.alert.id}-${Date.parse(opened.alert.openedAt)}-opened`,
      alert: {
        system,
        name: 'daily',
        kind: 'missed',
        state: 'open',
        count: 1,
        detail: 'no round came within 1 s',
      },
    })
    await vi.waitUntil(async () => ((await alertsOf(system))[0]?.count ?? 0) >= 10, {
      timeout: 30_000,
      interval: 100,
    })
    expect(await alertsOf(system)).toHaveLength(1)
    const { text } = await send(server.url, { path: '/metrics' })
    expect(text).toMatch(/gone_alerts_open\{kind="missed"\} [1-9]/)

    const good = keepGood(system, 200)
    const resolved = await receiver.told('resolved', system)
    await good.stop()
    expect(resolved.alert).toMatchObject({ id: opened.alert.id, state: 'resolved', kind: 'missed' })
    expect(resolved.alert.count).toBeGreaterThanOrEqual(10)
    expect(resolved.alert.resolution).toMatch(/^round good-\d+ was completed in time$/)
    await remove(system)
    const told = receiver.deliveries.filter(
      ({ news, status }) => news.alert.id === opened.alert.id && status === 200,
    )
    expect(told.map(({ id }) => id)).toEqual([opened.id, resolved.id])
  })

  it('and comes late is told', async () => {
    const system = 'late'
    await untilAfterSlot(6, 1_500)
    await put(system, { every: '6s', grace: '4s', late: '500ms' })
    await untilAfterSlot(6, 1_000)
    await call('elect', system, 'slow')
    const { alert } = await receiver.told('opened', system)
    expect(alert).toMatchObject({ kind: 'late', lastRound: 'slow' })
    expect(alert.detail).toMatch(/^came \d s after its slot, 500 ms are allowed$/)
    await remove(system)
  })

  it('and comes after its grace is missed first, and late then', async () => {
    const system = 'later'
    await put(system, { every: '10s', grace: '1s' })
    const missed = await receiver.told('opened', system)
    expect(missed.alert.kind).toBe('missed')
    await call('elect', system, `x@${missed.alert.lastSlot}`)
    const resolved = await receiver.told('resolved', system)
    expect(resolved.alert).toMatchObject({
      kind: 'missed',
      resolution: expect.stringContaining('came after all'),
    })
    const late = (await alertsOf(system, '&state=open'))[0]
    expect(late).toMatchObject({ kind: 'late', lastSlot: missed.alert.lastSlot })
    await remove(system)
  })

  it('and is led but never reported is told', async () => {
    const system = 'unreported'
    await untilAfterSlot(4, 500)
    await put(system, { every: '4s', grace: '2s' })
    await untilAfterSlot(4, 100)
    await call('elect', system, 'silent', '?deadline=1s')
    const { alert } = await receiver.told('opened', system)
    expect(alert).toMatchObject({
      kind: 'unreported',
      lastRound: 'silent',
      detail: 'not reported by its deadline',
    })
    await remove(system)
  })

  it('and fails is told with its reason', async () => {
    const system = 'failed'
    await untilAfterSlot(4, 500)
    await put(system, { every: '4s', grace: '2s' })
    await untilAfterSlot(4, 100)
    await call('elect', system, 'bad')
    await call('fail', system, 'bad', '?reason=disk%20full')
    const { alert } = await receiver.told('opened', system)
    expect(alert).toMatchObject({ kind: 'failed', lastRound: 'bad', detail: 'disk full' })
    const good = keepGood(system, 200)
    expect((await receiver.told('resolved', system)).alert.kind).toBe('failed')
    await good.stop()
    await remove(system)
  })

  it('and has too few candidates is told, and not where there are enough, whichever server they ask', async () => {
    const system = 'thin'
    await untilAfterSlot(3, 500)
    await put(system, { every: '3s', grace: '1s', replicas: 3 })
    let candidates = ['anna', 'bert']
    let isOn = true
    const run = async () => {
      for (let n = 0; isOn; n += 1) {
        await untilAfterSlot(3, 50)
        const ask = (token: string, index: number) =>
          call('elect', system, `n${n}`, '', token, index % 2 === 0 ? server : other)
        await Promise.all(candidates.map(ask))
        // Each asks more than once.
        await Promise.all(candidates.map(ask))
        for (const token of candidates) await call('complete', system, `n${n}`, '', token)
        // Twice a slot, so that none is without its round.
        await sleep(500)
      }
    }
    const running = run()
    const { alert } = await receiver.told('opened', system, 25_000)
    expect(alert).toMatchObject({ kind: 'few-candidates', detail: '2 of 3 candidates asked for it' })
    candidates = ['anna', 'bert', 'carl']
    expect((await receiver.told('resolved', system)).alert.kind).toBe('few-candidates')
    isOn = false
    await running
    await remove(system)
    expect((await alertsOf(system)).filter(({ kind }) => kind === 'few-candidates')).toHaveLength(1)
  })

  it('is told no more once it is expected no more', async () => {
    const system = 'removed'
    await put(system, { every: '1s', grace: '1s' })
    await receiver.told('opened', system)
    expect((await remove(system)).status).toBe(204)
    expect((await receiver.told('resolved', system)).alert.resolution).toBe('the expectation was removed')
    expectProblem(await remove(system), 'NO_SUCH_EXPECTATION')
    expect(await alertsOf(system, '&state=open')).toEqual([])
  })

  it('may be named after its slot', async () => {
    const system = 'named'
    await untilAfterSlot(2, 500)
    await put(system, { every: '2s', grace: '1s' })
    const name = () =>
      new Date(Math.floor(Date.now() / 2_000) * 2_000).toISOString().replace('.000Z', '+00:00')
    for (let n = 0; n < 5; n += 1) {
      await untilAfterSlot(2, 20)
      await call('elect', system, `daily@${name()}`)
      await call('complete', system, `daily@${name()}`)
    }
    await expectWatchedUntil(system, Date.now())
  })

  it('is not told of while it comes as it should, and is as soon as it does not', async () => {
    const system = 'good'
    const good = keepGood(system, 100)
    await put(system, { every: '1s', grace: '2s' })
    // Several slots and their grace, in which nothing must happen.
    await sleep(5_000)
    await good.stop()
    await expectWatchedUntil(system, Date.now())
  })
})

describe.concurrent('a schedule that expects something', () => {
  const at = (system: string) => `/api/v1/schedules/${system}/tick`
  const putSchedule = async (system: string, body: object) => {
    const answer = await send(server.url, {
      method: 'PUT',
      path: at(system),
      headers: JSON_TYPE,
      body: JSON.stringify(body),
    })
    expect(answer.text).not.toContain('code')
  }

  it('is told of when no worker takes its rounds, until one is completed', async () => {
    const system = 'no-worker'
    await putSchedule(system, { every: '2s', job: { deadline: '1s' }, expect: { grace: '1s' } })
    const { alert } = await receiver.told('opened', system)
    expect(alert).toMatchObject({
      name: 'tick',
      kind: 'unreported',
      lastRound: `tick@${alert.lastSlot}`,
      detail: 'no worker has started it by its deadline',
    })
    for (let isOpen = true; isOpen; ) {
      const { text } = await send(server.url, { path: at(system) })
      const { last } = JSON.parse(text) as { last: { round: string } }
      await call('complete', system, last.round)
      // The alert ends with a look of the watchman's, which has no answer to wait for.
      await sleep(100)
      isOpen = (await alertsOf(system, '&state=open')).length > 0
    }
    expect((await receiver.told('resolved', system)).alert.resolution).toMatch(
      /^round tick@.* was completed in time$/,
    )
    await send(server.url, { method: 'DELETE', path: at(system) })
  })

  it.each([
    ['is removed', (system: string) => send(server.url, { method: 'DELETE', path: at(system) })],
    ['expects nothing', (system: string) => putSchedule(system, { every: '2s' })],
  ])('is told of when it fails, and no more once it %s', async (how, end) => {
    const system = `failing-${how.replace(' ', '-')}`
    await putSchedule(system, { every: '2s', expect: { grace: '1s' } })
    const last = await vi.waitUntil(async () => {
      const { text } = await send(server.url, { path: at(system) })
      return (JSON.parse(text) as { last: { round: string } | null }).last
    }, 30_000)
    await call('fail', system, last.round, '?reason=no%20paper')
    const { alert } = await receiver.told('opened', system)
    expect(alert).toMatchObject({ kind: 'failed', lastRound: last.round, detail: 'no paper' })
    await end(system)
    expect((await receiver.told('resolved', system)).alert.resolution).toBe(
      'the schedule was removed, or expects nothing any more',
    )
    await send(server.url, { method: 'DELETE', path: at(system) })
  })

  it('is told nothing of while it is paused, and is once it goes on', async () => {
    const system = 'paused'
    const startAt = new Date(Math.ceil(Date.now() / 1_000) * 1_000 + 1_000)
      .toISOString()
      .replace('.000Z', 'Z')
    await putSchedule(system, { every: '1s', startAt, job: { deadline: '1s' }, expect: { grace: '1s' } })
    await send(server.url, { method: 'POST', path: `${at(system)}/pause` })
    // Several slots and their grace, in which nothing must happen.
    await sleep(5_000)
    expect(await alertsOf(system)).toEqual([])
    const resumedMs = Date.now()
    await send(server.url, { method: 'POST', path: `${at(system)}/resume` })
    const { alert } = await receiver.told('opened', system)
    expect(alert.kind).toBe('unreported')
    expect(Date.parse(alert.firstSlot)).toBeGreaterThan(resumedMs - 1_000)
    await send(server.url, { method: 'DELETE', path: at(system) })
    await receiver.told('resolved', system)
  })

  it('leaves slots out without an alert where its overlap says so, and tells of the one that it waits for', async () => {
    const system = 'busy'
    await putSchedule(system, { every: '1s', overlap: 'skip', expect: { grace: '1s' } })
    const schedule = async () =>
      JSON.parse((await send(server.url, { path: at(system) })).text) as {
        counts: { skipped: number }
        last: { round: string } | null
      }
    // Several that are left out, whose grace is over.
    const busy = await vi.waitUntil(
      async () => {
        const seen = await schedule()
        return seen.counts.skipped >= 4 && seen
      },
      { timeout: 30_000, interval: 100 },
    )
    expect(await alertsOf(system)).toEqual([])
    await call('fail', system, busy.last?.round ?? '', '?reason=out%20of%20paper')
    const { alert } = await receiver.told('opened', system)
    expect(alert).toMatchObject({ kind: 'failed', lastRound: busy.last?.round, detail: 'out of paper' })
    expect(await alertsOf(system)).toHaveLength(1)
    await send(server.url, { method: 'DELETE', path: at(system) })
    await receiver.told('resolved', system)
  })
})

describe('two servers', () => {
  it('open each alert once and tell of it once, signed, though the first request was refused', async () => {
    const byId = new Map<string, number>()
    // A queue whose jobs nobody takes is wrong with the fleet, and stays so here.
    const isOfRounds = ({ system }: { readonly system: string }) => system !== 'fleet'
    for (const { id, status, isSigned, news } of receiver.deliveries) {
      expect(isSigned).toBe(true)
      if (status === 200 && isOfRounds(news.alert)) byId.set(id, (byId.get(id) ?? 0) + 1)
    }
    expect([...byId.values()].every((count) => count === 1)).toBe(true)
    const [first] = receiver.deliveries
    expect(first?.status).toBe(503)
    expect(byId.get(first?.id ?? '')).toBe(1)
    const { text } = await send(server.url, { path: '/api/v1/alerts?limit=1000' })
    const alerts = (JSON.parse(text) as { alerts: AlertJson[] }).alerts.filter(isOfRounds)
    expect(alerts.filter(({ state }) => state === 'open')).toEqual([])
    expect(byId.size).toBe(2 * alerts.length)
  })
})

describe('an expectation', () => {
  const path = '/api/v1/expectations/shop/daily'
  const asked = (body: unknown) => ({ method: 'PUT', path, headers: JSON_TYPE, body: JSON.stringify(body) })

  it('is put, shown, listed and removed', async () => {
    const body = { cron: '0 8 * * MON-FRI', tz: 'Europe/Berlin', grace: '5m', late: '30s', replicas: 3 }
    const created = await send(server.url, asked(body))
    expect(created.status).toBe(201)
    const shown = JSON.parse(created.text) as { now: string; createdAt: string }
    expect(shown).toEqual({
      system: 'shop',
      name: 'daily',
      ...body,
      dst: { gap: 'run-after', overlap: 'first' },
      createdAt: shown.now,
      updatedAt: shown.now,
      now: expect.stringMatching(/^\d{4}-.*Z$/),
    })
    expect((await send(server.url, asked(body))).status).toBe(200)
    const { now: _, ...same } = JSON.parse((await send(server.url, { path })).text) as { now: string }
    expect(shown).toMatchObject(same)
    const listed = await send(server.url, { path: '/api/v1/expectations?system=shop' })
    expect(JSON.parse(listed.text)).toEqual({ expectations: [same], now: expect.any(String) })
    expect((await send(server.url, { method: 'DELETE', path })).status).toBe(204)
    expectProblem(await send(server.url, { path }), 'NO_SUCH_EXPECTATION')
  })

  it('is listed page by page', async () => {
    for (const name of ['a', 'b', 'c'])
      await send(server.url, {
        ...asked({ every: '1d', grace: '1h' }),
        path: `/api/v1/expectations/pages/${name}`,
      })
    const names: string[] = []
    let next = ''
    do {
      const query = `?system=pages&limit=2${next && `&cursor=${next}`}`
      const { text } = await send(server.url, { path: `/api/v1/expectations${query}` })
      const page = JSON.parse(text) as { expectations: { name: string }[]; next?: string }
      names.push(...page.expectations.map(({ name }) => name))
      next = page.next ?? ''
    } while (next)
    expect(names).toEqual(['a', 'b', 'c'])
  })

  const wrong: readonly (readonly [unknown, string])[] = [
    [{}, 'cron, every: expected exactly one of them, got none'],
    [{ cron: '* * * * *', every: '1m', grace: '1m' }, 'cron, every: expected exactly one of them, got both'],
    [{ cron: '99 * * * *', grace: '1m' }, 'cron: expected'],
    [{ every: '15m' }, 'grace: expected a duration'],
    [{ every: '15m', grace: '9d' }, 'grace: expected a duration'],
    [{ every: '15m', grace: '1m', late: '1m' }, 'late: expected less than the grace, got "1m"'],
    [{ every: '15m', grace: '1m', replicas: 0 }, 'replicas: expected an integer from 1 to 1000, got 0'],
    [{ every: '15m', grace: '1m', tz: 'Mars/Olympus' }, 'tz: expected'],
    [{ every: '15m', grace: '1m', at: '2026-11-22T08:00:00Z' }, '"at": no such member'],
    [{ every: '15m', grace: '1m', dst: { gap: 'run' } }, 'dst.gap: expected'],
  ]
  it.each(wrong)('%j is refused with words that name the member', async (body, words) => {
    expect(expectProblem(await send(server.url, asked(body)), 'INVALID_BODY')).toContain(words)
  })

  it('has a name that breaks no rule', async () => {
    const request = { ...asked({ every: '15m', grace: '1m' }), path: '/api/v1/expectations/shop/..%2f' }
    expect(expectProblem(await send(server.url, request), 'INVALID_IDENTIFIER')).toContain('name: ')
  })
})

describe('the list of alerts', () => {
  it.each(['state=shut', 'cursor=x', 'system=a%2fb', 'limit=0', 'what=1'])('refuses ?%s', async (query) => {
    const answer = await send(server.url, { path: `/api/v1/alerts?${query}` })
    expectProblem(answer, query.startsWith('system') ? 'INVALID_IDENTIFIER' : 'INVALID_PARAMETER')
  })
})
