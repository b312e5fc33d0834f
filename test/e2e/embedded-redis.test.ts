import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createClient } from '../../src/client/client.ts'
import { pause } from '../../src/waiting.ts'
import type { Process } from '../support/processes.ts'
import { startServeProcess } from '../support/serve-process.ts'

const ROUNDS = Array.from({ length: 20 }, (_, i) => `round-${i}`)

let folder: string
let closing: (() => unknown)[]

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gone-test-'))
  closing = [() => rm(folder, { recursive: true, force: true })]
})

afterEach(async () => {
  for (const close of closing.reverse()) await close()
})

it('refuses a second server on a data folder whose lock was removed', async () => {
  const first = await serve()
  await rm(join(folder, 'data/redis.lock'))
  await expect(serve()).rejects.toThrow(/another server .*uses .*data: stop it/)
  expect(await leads(first, ROUNDS)).toEqual(ROUNDS)
}, 90_000)

it('ends a server whose data folder was removed, so that no round is led there and at the next one', async () => {
  const first = await serve()
  await rm(join(folder, 'data'), { recursive: true })
  const second = await serve()
  const both = await Promise.all([leads(first, ROUNDS), leads(second, ROUNDS)])
  expect(both).toEqual([[], ROUNDS])
  await first.ended
  expect(first.child.exitCode).toBe(1)
  expect((await fetch(`${second.url}/readyz`)).status).toBe(200)
}, 90_000)

it('says in /readyz that its Redis ends again and again, and is ready when it stays', async () => {
  const server = await serve()
  const killed = new Set<number>()
  while (killed.size < 6) {
    const pid = await redisPid()
    if (!killed.has(pid)) process.kill(pid, 'SIGKILL')
    killed.add(pid)
    await pause(20)
  }
  await vi.waitFor(
    async () => {
      const ready = await fetch(`${server.url}/readyz`)
      expect(await ready.json()).toMatchObject({
        status: 'unready',
        trouble: expect.stringMatching(/ended after 5 restarts in a minute .* tried again every 10 s/),
      })
    },
    { timeout: 30_000, interval: 100 },
  )
  await vi.waitFor(async () => expect((await fetch(`${server.url}/readyz`)).status).toBe(200), {
    timeout: 60_000,
    interval: 250,
  })
}, 120_000)

async function serve(): Promise<Process> {
  const server = await startServeProcess({ GONE_DATA_DIR: join(folder, 'data') })
  closing.push(() => server.kill())
  return server
}

/** Of the server that answers, as its lock tells. */
async function redisPid(): Promise<number> {
  return vi.waitFor(
    // It may be written at this very moment.
    async () => JSON.parse(await readFile(join(folder, 'data/redis.lock'), 'utf8')).redisPid as number,
    { timeout: 30_000, interval: 20 },
  )
}

/** Those of the rounds that this server lets somebody lead. */
async function leads({ url }: Process, rounds: readonly string[]): Promise<string[]> {
  const client = createClient({ url, timeoutMs: 5_000 })
  const led = await Promise.all(
    rounds.map((round) =>
      client.elect('report', round).then(
        ({ leads }) => leads,
        () => false,
      ),
    ),
  )
  return rounds.filter((_, i) => led[i])
}
