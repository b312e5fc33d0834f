import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { createClient } from '../../src/index.ts'
import { spawnProcess } from '../support/processes.ts'
import { builtPath, LOADER } from '../support/program.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

interface Line {
  readonly started?: true
  readonly clockReadInMs?: number
  readonly ran?: string
  readonly skipped?: string
  readonly reason?: string
  readonly dueMs: number
  readonly atMs: number
  readonly fence?: number
}

let server: TestServer
const children: ChildProcess[] = []

beforeAll(async () => {
  server = await startTestServer()
})

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL')
  await server.stop()
})

/** A replica with a cron of its own for each second, on a clock that is wrong. */
function startReplica(kind: 'every' | 'node-cron', system: string, skewMs: number) {
  const files = ['--import', builtPath('test/support/skew.ts'), builtPath('test/support/in-process-cron.ts')]
  const args = [...LOADER, ...files, kind, system, server.url]
  const child = spawnProcess({ args, env: { CLOCK_SKEW_MS: String(skewMs) } })
  children.push(child)
  let output = ''
  child.stderr?.pipe(process.stderr)
  child.stdout?.on('data', (chunk) => {
    output += chunk
  })
  const lines = () =>
    output
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Line)
  return {
    lines,
    runs: () => lines().filter(({ ran }) => ran !== undefined),
    async stop() {
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      expect(await ended).toEqual([0, null])
    },
  }
}

async function startReplicas(kind: 'every' | 'node-cron', system: string, skewsMs: readonly number[]) {
  const replicas = skewsMs.map((skewMs) => startReplica(kind, system, skewMs))
  await vi.waitFor(
    () => expect(replicas.every((replica) => replica.lines().some(({ started }) => started))).toBe(true),
    20_000,
  )
  return replicas
}

/** Each second from the first to the last of them. */
function everySecond(dues: readonly number[]): number[] {
  const [firstMs, lastMs] = [Math.min(...dues), Math.max(...dues)]
  return Array.from({ length: (lastMs - firstMs) / 1_000 + 1 }, (_, index) => firstMs + index * 1_000)
}

describe('three replicas on clocks that are up to 50 s apart', () => {
  it('run each slot of every() once, when it is due by the clock of the servers', async () => {
    const replicas = await startReplicas('every', 'skewed', [-20_000, 0, 30_000])
    const runs = () => replicas.flatMap((replica) => replica.runs())
    await vi.waitFor(() => expect(runs().length).toBeGreaterThan(10), 20_000)
    await Promise.all(replicas.map((replica) => replica.stop()))

    const dues = runs().map(({ dueMs }) => dueMs)
    expect(dues.toSorted()).toEqual(everySecond(dues))
    expect(new Set(runs().map(({ ran }) => ran)).size).toBe(dues.length)
    for (const replica of replicas) {
      const readInMs = Math.max(...replica.lines().map(({ clockReadInMs = 0 }) => clockReadInMs))
      for (const { dueMs, atMs } of replica.runs()) {
        // Never before it is due, but for half of the round trip by which it read the servers' clock.
        expect(atMs - dueMs).toBeGreaterThan(-50 - readInMs / 2)
        expect(atMs - dueMs).toBeLessThan(10_000)
      }
    }
    const client = createClient({ url: server.url })
    const slot = runs()[5]?.ran ?? ''
    expect(slot).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+0[12]:00$/)
    expect((await client.completed('skewed', slot))?.state).toBe('completed')
  })
})

describe('an unmodified node-cron task, in three replicas with the coordinator', () => {
  it('runs once each time, and is skipped by the others', async () => {
    const replicas = await startReplicas('node-cron', 'node-cron', [-1_500, 0, 1_500])
    const runs = () => replicas.flatMap((replica) => replica.runs())
    await vi.waitFor(() => expect(runs().length).toBeGreaterThan(10), 20_000)
    await Promise.all(replicas.map((replica) => replica.stop()))

    const dues = runs().map(({ dueMs }) => dueMs)
    expect(dues.toSorted()).toEqual(everySecond(dues))
    const skipped = replicas.flatMap((replica) => replica.lines().filter((line) => line.skipped))
    expect(new Set(skipped.map(({ reason }) => reason))).toEqual(new Set(['not-elected']))
    expect(skipped.length).toBeGreaterThan(10)
    const client = createClient({ url: server.url })
    const round = `tick:${runs()[3]?.ran}`
    await vi.waitFor(async () => expect((await client.round('node-cron', round))?.state).toBe('completed'))
  })
})
