import { performance } from 'node:perf_hooks'
import { Redis } from 'ioredis'
import type { RoundJson } from '../src/core/rounds/round-wire.ts'
import type { ScheduleBody, ScheduleJson, ScheduleListJson } from '../src/core/schedules/schedule-wire.ts'
import { eachAtOnce, pause } from '../src/waiting.ts'
import { type Figure, median, quantile } from './figures.ts'
import { settledBytes } from './memory.ts'
import type { Processes } from './processes.ts'

const SCHEDULES = 10_000
const AT_ONCE = 32
const TICKED = 1_000
const TICK_IN_MS = 8_000
const PAGE = 1_000
const LISTINGS = 5
const IDLE_SCHEDULES = 5
const IDLE_MS = 30_000
const WITHIN_MS = 60_000
const POLL_MS = 20
const ALARMS = '{gone}:alarms:repeat'
const ZONES = ['UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kolkata', 'Australia/Lord_Howe']

/** Ten thousand schedules: made, listed, their alarms set again, a thousand of them due at once, and a few of them idle. */
export async function measureSchedules(processes: Processes, say: (line: string) => void): Promise<Figure[]> {
  const place = await processes.startRedis()
  const client = new Redis(place.redis, { maxRetriesPerRequest: 1 })
  client.on('error', () => undefined)
  try {
    const first = await processes.startReplica(place)
    say('schedules: lateness on an idle machine')
    const lateness = await idleLateness(first.url)

    say(`schedules: making ${SCHEDULES}`)
    const before = await settledBytes(client)
    const startedMs = performance.now()
    await each(SCHEDULES, (n) => put(first.url, `s${n}`, daily(n)))
    const perSecond = (SCHEDULES * 1_000) / (performance.now() - startedMs)
    const bytes = ((await settledBytes(client)) - before) / SCHEDULES

    say(`schedules: listing ${SCHEDULES}, ${LISTINGS} times`)
    const listings: number[] = []
    for (let n = 0; n < LISTINGS; n += 1) listings.push(await listAll(first.url))

    say(`schedules: ${TICKED} due at one instant`)
    const tickSeconds = await tickAtOnce(first.url)

    say('schedules: starting a server that finds no alarm')
    await first.stop()
    const rearmSeconds = await rearmAll(processes, place, client)
    return [
      { name: 'scheduleMake', at: AT_ONCE, perSecond },
      { name: 'scheduleRearm', at: SCHEDULES, seconds: rearmSeconds },
      { name: 'scheduleTick', at: TICKED, seconds: tickSeconds },
      { name: 'scheduleList', at: SCHEDULES, seconds: median(listings) },
      { name: 'scheduleLateness', at: IDLE_SCHEDULES, ...lateness },
      { name: 'scheduleMemory', bytes },
    ]
  } finally {
    client.disconnect()
    await processes.stop()
  }
}

/** Each its own time of the day, none of them within the bench but by chance. */
function daily(n: number): ScheduleBody {
  return {
    cron: `${n % 60} ${Math.floor(n / 60) % 24} * * *`,
    tz: ZONES[n % ZONES.length] as string,
    job: { worker: 'hello', data: { n } },
  }
}

async function idleLateness(url: string) {
  const names = Array.from({ length: IDLE_SCHEDULES }, (_, n) => `idle${n}`)
  for (const name of names) await put(url, name, { cron: '* * * * * *', job: { worker: 'idle' } })
  await pause(IDLE_MS)
  for (const name of names) await call(url, 'DELETE', `schedules/bench/${name}`)
  const latenessMs: number[] = []
  let cursor: string | undefined
  do {
    const page = (await call(
      url,
      'GET',
      `rounds?system=bench&limit=1000${cursor ? `&cursor=${cursor}` : ''}`,
    )) as {
      rounds: RoundJson[]
      next?: string
    }
    for (const { round, job } of page.rounds)
      latenessMs.push(Date.parse(job?.submittedAt ?? '') - Date.parse(round.split('@')[1] ?? ''))
    cursor = page.next
  } while (cursor)
  const sorted = Float64Array.from(latenessMs).sort()
  if (sorted.length < (IDLE_SCHEDULES * IDLE_MS) / 1_000 - 2 * IDLE_SCHEDULES)
    throw new Error(`schedules: expected a slot each second, got ${sorted.length} in all`)
  return { p50Ms: quantile(sorted, 0.5), p99Ms: quantile(sorted, 0.99) }
}

async function listAll(url: string): Promise<number> {
  const startedMs = performance.now()
  let found = 0
  let cursor: string | undefined
  do {
    const query = `schedules?limit=${PAGE}${cursor ? `&cursor=${cursor}` : ''}`
    const page = (await call(url, 'GET', query)) as ScheduleListJson
    found += page.schedules.filter(({ next }) => next !== null).length
    cursor = page.next
  } while (cursor)
  if (found !== SCHEDULES) throw new Error(`schedules: expected ${SCHEDULES} with a next run, got ${found}`)
  return (performance.now() - startedMs) / 1_000
}

/** From the instant at which a thousand schedules are due until the last of them is submitted, by Redis' clock. */
async function tickAtOnce(url: string): Promise<number> {
  const dueMs = Math.ceil((Date.now() + TICK_IN_MS) / 1_000) * 1_000
  const at = new Date(dueMs).toISOString().replace('.000Z', 'Z')
  await each(TICKED, (n) => put(url, `at${n}`, { at, job: { worker: 'ticked', data: { n } } }))
  if (Date.now() > dueMs) throw new Error('schedules: they were due before all of them were made')
  const startedMs = performance.now()
  let lastMs = 0
  await each(TICKED, async (n) => {
    for (;;) {
      const { last } = (await call(url, 'GET', `schedules/bench/at${n}`)) as ScheduleJson
      if (last) {
        lastMs = Math.max(lastMs, Date.parse(last.submittedAt))
        return
      }
      if (performance.now() - startedMs > WITHIN_MS) throw new Error('schedules: not all were submitted')
      // Asking must not be what Redis and the server are busy with.
      await pause(Math.max(500, dueMs - Date.now()))
    }
  })
  return (lastMs - dueMs) / 1_000
}

/** From the start of a server's process until it has set the alarm of every schedule. */
async function rearmAll(
  processes: Processes,
  place: { readonly redis: string },
  client: Redis,
): Promise<number> {
  for await (const keys of client.scanStream({ match: '{gone}:alarms:*', count: 1_000 }))
    if (keys.length > 0) await client.unlink(...(keys as string[]))
  const startedMs = performance.now()
  const starting = processes.startReplica(place)
  while ((await client.zcard(ALARMS)) < SCHEDULES) {
    if (performance.now() - startedMs > WITHIN_MS) throw new Error('schedules: not all alarms were set')
    await pause(POLL_MS)
  }
  const seconds = (performance.now() - startedMs) / 1_000
  await starting
  return seconds
}

async function each(count: number, act: (n: number) => Promise<unknown>): Promise<void> {
  const numbers = Array.from({ length: count }, (_, n) => n)
  await eachAtOnce(AT_ONCE, numbers, act)
}

function put(url: string, name: string, body: ScheduleBody): Promise<unknown> {
  return call(url, 'PUT', `schedules/bench/${name}`, body)
}

async function call(url: string, method: string, path: string, body?: object): Promise<unknown> {
  const reply = await fetch(`${url}/api/v1/${path}`, {
    method,
    ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  })
  const text = await reply.text()
  if (!reply.ok) throw new Error(`${method} ${path}: ${reply.status} ${text}`)
  return text ? JSON.parse(text) : undefined
}
