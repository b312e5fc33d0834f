import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import type { RoundJson } from '../../src/core/rounds/round-wire.ts'
import type { ScheduleJson } from '../../src/core/schedules/schedule-wire.ts'
import type { Process } from './processes.ts'
import { builtPath } from './program.ts'
import type { TestRedis } from './redis.ts'
import { callSchedules, dueMs, type ScheduleCalls } from './schedules.ts'
import { startServeProcess, startWorkProcess } from './serve-process.ts'

/** What became of slots that come each second, while one of three servers was killed again and again. */
export interface DenseSlots {
  readonly kills: number
  /** From the first to the last of each schedule. */
  readonly slots: number
  readonly counts: Readonly<ScheduleJson['counts']>
  /** Those of `slots` that have no round. */
  readonly lost: readonly string[]
  /** Rounds whose job was not started, or not ended. */
  readonly notRun: readonly string[]
  /** Rounds whose job was started more than once. */
  readonly runTwice: readonly string[]
  /** From each slot to its submission, by Redis' clock. */
  readonly latenessMs: readonly number[]
}

const SKEWS_MS = [3_000, 0, -3_000]
const SCHEDULES = 5
const SLOT_MS = 1_000
const SETTLED_WITHIN_MS = 30_000
const POLL_MS = 100

/**
 * Three servers whose clocks are three seconds apart, a worker, and schedules of a slot each second; SIGKILL of the servers in
 * turn, at any moment, each started again at once.
 *
 * @throws the signal's reason
 */
export async function playDenseSlots(
  redis: TestRedis,
  { lastsMs, signal }: { readonly lastsMs: number; readonly signal?: AbortSignal },
): Promise<DenseSlots> {
  const env = { REDIS_URL: redis.url }
  const servers: Process[] = []
  const worker = await startWorkProcess(builtPath('test/support/workers'), env)
  const admin = new Redis(redis.port)
  const names = Array.from({ length: SCHEDULES }, (_, n) => `dense-${n}`)
  try {
    for (const skewMs of SKEWS_MS) servers.push(await startServeProcess(env, skewMs))
    const api = () => callSchedules(servers[0]?.url ?? '')
    const job = { worker: 'probe', data: null }
    const catchUp = { window: '1h', max: 1_000 }
    for (const name of names) expectStatus(201, await api().put(name, { cron: '* * * * * *', catchUp, job }))
    const endMs = Date.now() + lastsMs
    let kills = 0
    for (; Date.now() < endMs; kills += 1) {
      await sleep(500 + Math.random() * 1_500, undefined, { signal })
      const index = kills % servers.length
      await servers[index]?.kill()
      servers[index] = await startServeProcess(env, SKEWS_MS[index])
    }
    for (const name of names) {
      await until(`${name} goes on`, async () => Date.parse((await api().get(name)).last?.at ?? '') > endMs)
      expectStatus(200, await api().call('POST', `${name}/pause`))
    }
    const played = await Promise.all(names.map((name) => judge(name, api(), admin)))
    return { kills, ...sumOf(played) }
  } finally {
    await Promise.all([...servers, worker].map((each) => each.kill()))
    admin.disconnect()
  }
}

async function judge(name: string, api: ScheduleCalls, admin: Redis): Promise<Omit<DenseSlots, 'kills'>> {
  // A slot that was on its way as the pause came is counted a moment later.
  await until(`${name} counts its rounds`, async () => {
    const { counts } = await api.get(name)
    return counts.submitted === (await api.rounds(name)).length
  })
  const rounds = await api.rounds(name)
  const there = new Set(rounds.map(dueMs))
  const [first, last] = [Math.min(...there), Math.max(...there)]
  const lost: string[] = []
  for (let slotMs = first; slotMs <= last; slotMs += SLOT_MS)
    if (!there.has(slotMs)) lost.push(`${name}@${new Date(slotMs).toISOString()}`)
  const times = (what: 'started' | 'ended', { round }: RoundJson) =>
    admin.llen(`probe:${what}:shop~${encodeURIComponent(round)}`)
  const notRun: string[] = []
  const runTwice: string[] = []
  for (const round of rounds) {
    await until('a job ends', async () => (await times('ended', round)) > 0).catch(() =>
      notRun.push(round.round),
    )
    if ((await times('started', round)) > 1) runTwice.push(round.round)
  }
  const { counts } = await api.get(name)
  const latenessMs = rounds.map((round) => Date.parse(round.job?.submittedAt ?? '') - dueMs(round))
  return { slots: (last - first) / SLOT_MS + 1, counts, lost, notRun, runTwice, latenessMs }
}

function sumOf(played: readonly Omit<DenseSlots, 'kills'>[]): Omit<DenseSlots, 'kills'> {
  const sum = (of: (each: (typeof played)[number]) => number) =>
    played.reduce((all, each) => all + of(each), 0)
  return {
    slots: sum(({ slots }) => slots),
    counts: {
      submitted: sum(({ counts }) => counts.submitted),
      skipped: sum(({ counts }) => counts.skipped),
      missed: sum(({ counts }) => counts.missed),
    },
    lost: played.flatMap(({ lost }) => lost),
    notRun: played.flatMap(({ notRun }) => notRun),
    runTwice: played.flatMap(({ runTwice }) => runTwice),
    latenessMs: played.flatMap(({ latenessMs }) => latenessMs),
  }
}

function expectStatus(
  expected: number,
  { status, json }: { readonly status: number; readonly json: unknown },
) {
  if (status !== expected) throw new Error(`expected ${expected}, got ${status} ${JSON.stringify(json)}`)
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + SETTLED_WITHIN_MS
  while (!(await holds())) {
    if (performance.now() > endMs) throw new Error(`${what}: not within ${SETTLED_WITHIN_MS / 1_000} s`)
    await sleep(POLL_MS)
  }
}
