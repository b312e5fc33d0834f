import { beforeAll, describe, expect, it } from 'vitest'
import { createClient, type GoneClient } from '../../src/client/client.ts'
import type { InstanceWorkerJson } from '../../src/core/fleet/fleet-wire.ts'
import type { SettingsTarget } from '../../src/core/fleet/worker-settings.ts'
import { runCli } from '../support/cli.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { startTestWorkers } from '../support/work.ts'

let server: TestServer
let client: GoneClient
let count = 0

beforeAll(async () => {
  server = await startTestServer()
  client = createClient({ url: server.url })
})

/** What a handler sees now. */
async function shown(worker: string): Promise<unknown> {
  count += 1
  await client.submit('config', `round-${count}`, { worker })
  return (await client.wait('config', `round-${count}`, { timeout: '20s' }))?.completion?.result
}

/** How the only instance of the worker shows it, once it is so. */
async function seen(worker: string, isIt: (one: InstanceWorkerJson) => boolean, timeout = 20_000) {
  let found: InstanceWorkerJson | undefined
  await expect
    .poll(
      async () => {
        const [instance] = await client.fleet.instances({ worker })
        found = instance?.workers.find(({ name }) => name === worker)
        return found !== undefined && isIt(found)
      },
      { timeout, interval: 20 },
    )
    .toBe(true)
  return found as InstanceWorkerJson
}

const echo = async (_: unknown, { config }: { readonly config: unknown }) => ({ config: config ?? null })
const target = (name: string): SettingsTarget => ({ of: 'worker', name })

describe('what is set of a worker', () => {
  it('reaches running instances, goes before the file, and can be rolled back and taken away', async () => {
    await startTestWorkers(server.redis, { told: echo })
    await seen('told', ({ slots }) => slots === 4)
    expect(await client.fleet.config.get(target('told'))).toBeUndefined()
    const first = await client.fleet.config.put(target('told'), { concurrency: 7, config: { n: 1 } })
    await seen('told', ({ slots, settings }) => slots === 7 && settings?.revision === first.revision, 10_000)
    expect(await shown('told')).toEqual({ config: { n: 1 } })
    const more = { reason: 'more' }
    const second = await client.fleet.config.put(target('told'), { config: { n: 2 } }, more)
    expect(second.revision).toBeGreaterThan(first.revision)
    expect(second.revisions.map(({ settings, reason }) => [settings, reason])).toEqual([
      [{ config: { n: 2 } }, 'more'],
      [{ concurrency: 7, config: { n: 1 } }, ''],
    ])
    await seen('told', ({ slots, settings }) => slots === 4 && settings?.revision === second.revision)
    expect(await shown('told')).toEqual({ config: { n: 2 } })
    const third = await client.fleet.config.rollBack(target('told'))
    expect(third.settings).toEqual({ concurrency: 7, config: { n: 1 } })
    await seen('told', ({ slots, settings }) => slots === 7 && settings?.revision === third.revision)
    const last = await client.fleet.config.remove(target('told'))
    expect(last.settings).toBeNull()
    await seen('told', ({ slots, settings }) => slots === 4 && settings?.revision === last.revision)
    expect(await shown('told')).toEqual({ config: null })
    const [of] = await client.fleet.config.list()
    expect(of).toMatchObject({ of: 'worker', name: 'told', settings: null })
  })

  it('is rolled back to what it was before, also where it was set twice over', async () => {
    const twice = target('twice')
    await client.fleet.config.put(twice, { concurrency: 2, config: { a: 1, b: 2 } })
    await client.fleet.config.put(twice, { concurrency: 3 })
    await client.fleet.config.put(twice, { concurrency: 3 })
    const back = await client.fleet.config.rollBack(twice)
    expect(back.settings).toEqual({ concurrency: 2, config: { a: 1, b: 2 } })
    expect((await client.fleet.config.rollBack(twice)).settings).toEqual({ concurrency: 3 })
    await client.fleet.config.remove(twice)
    await client.fleet.config.remove(twice)
    expect((await client.fleet.config.rollBack(twice)).settings).toEqual({ concurrency: 3 })
  })

  it('holds from the first job of an instance that starts later', async () => {
    await client.fleet.config.put(target('later'), { config: 'set before' })
    await client.submit('config', 'later', { worker: 'later' })
    await startTestWorkers(server.redis, { later: echo })
    expect((await client.wait('config', 'later', { timeout: '20s' }))?.completion?.result).toEqual({
      config: 'set before',
    })
  })

  it('of one instance goes before what is set of its worker', async () => {
    await startTestWorkers(server.redis, { two: echo })
    await seen('two', () => true)
    const [one] = await client.fleet.instances({ worker: 'two' })
    await client.fleet.config.put(target('two'), { concurrency: 2, config: 'all' })
    const { revision } = await client.fleet.config.put(
      { of: 'instance', name: one?.id ?? '' },
      { concurrency: 3 },
    )
    await seen('two', ({ slots, settings }) => slots === 3 && settings?.revision === revision)
    expect(await shown('two')).toEqual({ config: 'all' })
  })

  it('is not taken where the worker refuses it, and the list says why', async () => {
    const parseConfig = (config: unknown) => {
      if (typeof config !== 'number') throw new Error('expected a number')
      return config * 2
    }
    await startTestWorkers(server.redis, { picky: echo }, { parseConfig })
    await client.fleet.config.put(target('picky'), { config: 21 })
    await seen('picky', ({ settings }) => settings !== undefined)
    expect(await shown('picky')).toEqual({ config: 42 })
    await client.fleet.config.put(target('picky'), { config: 'x', concurrency: 9 })
    expect(await seen('picky', ({ settings }) => settings?.refused !== undefined)).toMatchObject({
      slots: 4,
      settings: { refused: 'expected a number' },
    })
    expect(await shown('picky')).toEqual({ config: 42 })
  })

  it('is refused by a worker that takes too long for it, which goes on meanwhile', {
    timeout: 120_000,
  }, async () => {
    const parseConfig = async (config: unknown) => {
      if (config === 'never') await new Promise(() => {})
      return config
    }
    await startTestWorkers(server.redis, { slow: echo }, { parseConfig })
    await client.fleet.config.put(target('slow'), { config: 'never' })
    const { settings } = await seen('slow', (one) => one.settings !== undefined, 90_000)
    expect(settings?.refused).toBe('its config has not said so within 30 s')
    expect((await client.fleet.instances({ worker: 'slow' })).map(({ state }) => state)).toEqual([
      'registered',
    ])
    await client.fleet.config.put(target('slow'), { config: 'at once' })
    await seen('slow', (one) => one.settings !== undefined && one.settings.refused === undefined)
    expect(await shown('slow')).toEqual({ config: 'at once' })
  })

  it('is refused where it says nothing, or what there is not', async () => {
    const put = (settings: object) => client.fleet.config.put(target('told'), settings)
    await expect(put({})).rejects.toMatchObject({ code: 'INVALID_BODY' })
    await expect(put({ concurrency: 0 })).rejects.toMatchObject({ code: 'INVALID_BODY' })
    await expect(put({ concurency: 2 })).rejects.toMatchObject({ code: 'INVALID_BODY' })
    await expect(put({ config: 'x'.repeat(20_000) })).rejects.toMatchObject({ code: 'INVALID_BODY' })
    await expect(client.fleet.config.rollBack(target('none'))).rejects.toMatchObject({
      code: 'NO_SUCH_SETTINGS',
    })
    await expect(client.fleet.config.rollBack(target('told'), { to: 99_999 })).rejects.toMatchObject({
      code: 'NO_SUCH_SETTINGS',
    })
  })

  it('is set and shown by gone fleet config', async () => {
    const gone = (...words: string[]) => runCli(['fleet', 'config', ...words, '--server', server.url])
    const set = await gone(
      'set',
      'worker/cli',
      '--concurrency',
      '3',
      '--config',
      '{"a":1}',
      '--reason',
      'why',
    )
    expect(set).toMatchObject({ code: 0 })
    expect(set.stdout).toMatch(/now \d+ +\{"concurrency":3,"config":\{"a":1\}\} .* by 127\.0\.0\.1:\d+: why/)
    expect((await gone('list')).stdout).toMatch(/worker\/cli +\d+ +\{"concurrency":3/)
    expect((await gone('show', 'worker/nobody')).code).toBe(1)
    expect((await gone('remove', 'worker/cli')).stdout).toContain('nothing')
    expect((await gone('rollback', 'worker/cli')).stdout).toMatch(/now \d+ +\{"concurrency":3/)
    expect((await gone('set', 'cli')).code).toBe(2)
  })
})
