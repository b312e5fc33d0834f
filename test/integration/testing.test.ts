import { beforeAll, describe, expect, it } from 'vitest'
import { createClient, defineWorker, type GoneClient } from '../../src/index.ts'
import { createTestGone } from '../../src/testing/testing.ts'
import { startTestServer } from '../support/server.ts'

/** What a client is told, without times, addresses and what only a server has. */
async function play(one: GoneClient, two: GoneClient): Promise<unknown[]> {
  const told: unknown[] = []
  const say = async (answer: Promise<unknown>) => {
    const said = await answer.catch((error: { code?: string }) => ({ code: error.code }))
    told.push(plain(said))
  }
  await say(one.elect('s', '1', { lease: '30s', name: 'anna' }))
  await say(one.elect('s', '1', { lease: '30s' }))
  await say(two.elect('s', '1', { lease: '30s' }))
  await say(two.elected('s', '1'))
  await say(two.completed('s', '1'))
  await say(one.renew('s', '1'))
  await say(two.renew('s', '1'))
  await say(two.complete('s', '1'))
  await say(one.complete('s', '1', { result: { rows: 42 } }))
  await say(one.complete('s', '1'))
  await say(one.renew('s', '1'))
  await say(two.completed('s', '1'))
  await say(one.elect('s', '1'))
  await say(one.renew('s', '2', { fence: 9 }))
  await say(one.fail('s', '2', { reason: 'disk full' }))
  await say(one.round('s', '2'))
  await say(one.round('s', '3'))
  await say(one.submit('s', '3', { worker: 'hello', data: [1], attempts: 2 }))
  await say(two.submit('s', '3', { worker: 'hello', data: [1] }))
  await say(one.round('s', '3'))
  await say(one.elect('s', 'a/b'))
  await say(one.elect('s', '4', { lease: 'soon' }))
  await say(one.elect('s', '4', { lease: '500ms' }))
  await say(one.elect('s', '4', { lease: '2d' }))
  await say(one.elect('s', '4', { deadline: '1ms' }))
  await say(one.elect('s', '4', { wait: '2m' }))
  await say(one.round('s', '3', { wait: '2m' }))
  await say(one.complete('s', '4', { result: 'x'.repeat(5_000) }))
  await say(one.fail('s', '4', { reason: 'x'.repeat(1_001) }))
  await say(one.fail('s', '4', { reason: '' }))
  await say(two.submit('s', '3', { worker: 'hello', data: [2] }))
  await say(two.submit('s', '3', { worker: 'other', data: [1] }))
  await say(one.submit('s', '5', { worker: 'no worker' }))
  await say(one.once('s', '6', ({ fence }) => ({ fence })))
  await say(two.once('s', '6', () => 'again'))
  return told
}

function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  const without = /At$|^at$|^leader$|^by$|^link$|^detail$|^warning$|^deadline/
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => !without.test(name))
      .map(([name, member]) => [name, plain(member)]),
  )
}

describe('the gone in memory', () => {
  let real: unknown[]

  beforeAll(async () => {
    const { url } = await startTestServer()
    real = await play(createClient({ url, candidate: 'one' }), createClient({ url, candidate: 'two' }))
  })

  it('tells clients what a server would', async () => {
    const gone = createTestGone()
    const told = await play(gone.client({ candidate: 'one' }), gone.client({ candidate: 'two' }))
    expect(told).toEqual(real)
  })

  it('has a clock that the test sets', async () => {
    const gone = createTestGone({ start: new Date('2026-11-22T08:00:00Z') })
    const [one, two] = [gone.client(), gone.client()]
    expect(await one.elect('s', '1', { lease: '30s', deadline: '1m' })).toMatchObject({
      leads: true,
      fence: 1,
    })
    gone.advance('29s')
    expect(await two.elect('s', '1')).toMatchObject({ leads: false })
    gone.advance('2s')
    expect(await two.elect('s', '1', { lease: '30s', deadline: '1m' })).toMatchObject({
      leads: true,
      fence: 2,
    })
    expect(await one.renew('s', '1')).toMatchObject({ kind: 'superseded' })
    gone.advance('2m')
    expect((await two.round('s', '1'))?.state).toBe('overdue')
    expect(gone.now()).toEqual(new Date('2026-11-22T08:02:31Z'))
  })

  it('runs what was submitted, when it is due and the test says', async () => {
    const gone = createTestGone()
    const client = gone.client()
    const seen: unknown[] = []
    const worker = defineWorker<{ to: string }, string>(async ({ id, data }, { fence, system }) => {
      seen.push([id, data, fence, system])
      if (data.to === 'nobody') throw new Error('no such address')
      return `sent to ${data.to}`
    })
    await client.submit<typeof worker>('mail', '1', { worker: 'mailer', data: { to: 'ada' } })
    await client.submit<typeof worker>('mail', '1', { worker: 'mailer', data: { to: 'ada' } })
    await client.submit<typeof worker>('mail', '2', { worker: 'mailer', data: { to: 'nobody' } })
    await client.submit<typeof worker>('mail', '3', { worker: 'mailer', data: { to: 'bo' }, delay: '1h' })
    expect(await gone.work('printer', worker)).toBe(0)
    const waiting = client.wait<typeof worker>('mail', '1')
    expect(await gone.work('mailer', worker)).toBe(2)
    expect(await gone.work('mailer', worker)).toBe(0)
    expect((await waiting)?.completion.result).toBe('sent to ada')
    expect((await client.wait('mail', '2'))?.completion).toMatchObject({
      outcome: 'failed',
      reason: 'no such address',
    })
    gone.advance('61m')
    expect(await gone.work('mailer', worker)).toBe(1)
    expect(seen).toEqual([
      ['mail~1', { to: 'ada' }, 1, 'mail'],
      ['mail~2', { to: 'nobody' }, 2, 'mail'],
      ['mail~3', { to: 'bo' }, 3, 'mail'],
    ])
  })

  it('has whoever stands by lead once the clock says so, or nobody where they have gone', async () => {
    const gone = createTestGone()
    const [one, two, three] = [gone.client(), gone.client(), gone.client()]
    await one.elect('s', '1', { lease: '30s' })
    const leaving = new AbortController()
    const left = two.elect('s', '1', { lease: '30s', wait: '50s', signal: leaving.signal })
    const standing = three.elect('s', '1', { lease: '30s', wait: '50s' })
    const ending = two.round('s', '1', { wait: '50s', signal: leaving.signal })
    leaving.abort(new Error('enough'))
    await expect(left).rejects.toThrow('enough')
    await expect(ending).rejects.toThrow('enough')
    gone.advance('31s')
    expect(await standing).toMatchObject({ leads: true, fence: 2 })
    const told = two.elect('s', '1', { wait: '50s' })
    await three.complete('s', '1')
    expect(await told).toMatchObject({ leads: false, state: 'completed' })
  })

  it('runs a job once, also where two look for it at once, and keeps of its result what a server does', async () => {
    const gone = createTestGone()
    const client = gone.client()
    await client.submit('mail', '1', { worker: 'mailer' })
    await client.submit('mail', '2', { worker: 'mailer', delay: '1h' })
    const worker = defineWorker(async () => 'x'.repeat(5_000))
    const ran = await Promise.all([gone.work('mailer', worker), gone.work('mailer', worker)])
    expect(ran.toSorted()).toEqual([0, 1])
    const ended = await client.wait('mail', '1')
    expect(ended).toMatchObject({ state: 'completed' })
    expect(ended?.completion).not.toHaveProperty('result')
    await client.submit('mail', '3', { worker: 'mailer' })
    const nothing = defineWorker(async () => Number.NaN)
    expect(await gone.work('mailer', nothing)).toBe(1)
    expect((await client.wait('mail', '3'))?.completion?.reason).toMatch(/its result is not JSON/)
    gone.advance('61m')
    expect(await gone.work('mailer', worker)).toBe(1)
  })

  it('says what it has not', async () => {
    await expect(createTestGone().client().schedules.list()).rejects.toThrow(/gone\/testing has only elect, /)
  })
})
