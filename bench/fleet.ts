import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Redis } from 'ioredis'
import type { InstanceJson } from '../src/core/fleet/fleet-wire.ts'
import { pause } from '../src/waiting.ts'
import { compile } from '../test/support/compile.ts'
import { SimulatedHosts } from '../test/support/simulated-hosts.ts'
import { type Figure, median, quantile } from './figures.ts'
import { ourWay, runAll, submitAll } from './jobs.ts'
import { settledBytes } from './memory.ts'
import type { Processes } from './processes.ts'

const run = promisify(execFile)
const INSTANCES = 1_000
const HOSTS = 100
const LISTINGS = 20
const COMMANDS = 5
/** After a start all of it is told at once. */
const SETTLED_AFTER_MS = 20_000
const WATCHED_MS = 20_000
const LISTENERS = 20
const CHANGES = 200
const CHANGE_EVERY_MS = 25
const JOBS = 1_000
const RUNS = 11
const TREE = fileURLToPath(new URL('..', import.meta.url))

/** A thousand instances: how soon they are listed, and what they cost in Redis; and how soon a change is heard of. */
export async function measureFleet(processes: Processes, say: (line: string) => void): Promise<Figure[]> {
  const place = await processes.startRedis()
  const client = new Redis(place.redis, { maxRetriesPerRequest: 1 })
  client.on('error', () => undefined)
  try {
    const server = await processes.startReplica(place)
    await pause(SETTLED_AFTER_MS / 3)
    say('fleet: Redis beside a server that has nothing to do')
    const before = await watch(client, WATCHED_MS)
    const bytesBefore = await settledBytes(client)
    say(`fleet: ${INSTANCES} instances on ${HOSTS} hosts`)
    const hosts = await processes.startHosts(place, INSTANCES, HOSTS)
    await pause(SETTLED_AFTER_MS)
    const after = await watch(client, WATCHED_MS)
    const bytes = (await usedBytes(client)) - bytesBefore
    say('fleet: listing them')
    const listings = await listAll(server.url)
    const commands = await listByCommand(server.url)
    say(`fleet: changes told to ${LISTENERS} listeners`)
    const changes = await hearChanges(server.url, place.redis)
    const jobs = await jobsBeside(place, hosts, say)
    return [
      { name: 'fleetList', at: INSTANCES, ...spread(listings), seconds: median(listings) / 1_000 },
      { name: 'fleetCommand', at: INSTANCES, seconds: median(commands) / 1_000 },
      { name: 'fleetStep', at: INSTANCES, micros: after.stepMicros },
      { name: 'fleetProcessor', at: INSTANCES, percent: after.percent - before.percent },
      { name: 'fleetMemory', at: INSTANCES, bytes: bytes / INSTANCES },
      { name: 'fleetAof', at: INSTANCES, bytes: (after.aofPerSecond - before.aofPerSecond) / INSTANCES },
      { name: 'fleetChange', at: LISTENERS, ...spread(changes) },
      { name: 'fleetJobs', at: INSTANCES, ofLimit: jobs },
    ]
  } finally {
    client.disconnect()
    await processes.stop()
  }
}

/** What Redis does meanwhile: processor time of a core, bytes of its AOF, and the mean of our scripts. */
async function watch(client: Redis, ms: number) {
  await client.config('RESETSTAT')
  const read = async () => {
    const info = await client.info()
    const number = (name: string) => Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(info)?.[1] ?? 0)
    return {
      cpuS: number('used_cpu_sys') + number('used_cpu_user'),
      aof: number('aof_current_size'),
      step: Number(/^cmdstat_evalsha:.*usec_per_call=([\d.]+)/m.exec(await client.info('commandstats'))?.[1]),
    }
  }
  const begin = await read()
  const startedMs = performance.now()
  await pause(ms)
  const end = await read()
  const seconds = (performance.now() - startedMs) / 1_000
  return {
    percent: ((end.cpuS - begin.cpuS) / seconds) * 100,
    aofPerSecond: (end.aof - begin.aof) / seconds,
    stepMicros: end.step,
  }
}

async function usedBytes(client: Redis): Promise<number> {
  return Number(/^used_memory:(\d+)/m.exec(await client.info('memory'))?.[1])
}

async function listAll(url: string): Promise<number[]> {
  const tookMs: number[] = []
  for (let n = 0; n < LISTINGS; n += 1) {
    const startedMs = performance.now()
    const reply = await fetch(`${url}/api/v1/fleet/instances?limit=${INSTANCES}`)
    const { instances } = (await reply.json()) as { readonly instances: readonly InstanceJson[] }
    tookMs.push(performance.now() - startedMs)
    if (instances.length !== INSTANCES)
      throw new Error(`of ${INSTANCES} instances ${instances.length} are listed`)
  }
  return tookMs
}

/** `gone fleet`, as it is installed. */
async function listByCommand(url: string): Promise<number[]> {
  const built = await compile(TREE)
  const tookMs: number[] = []
  for (let n = 0; n < COMMANDS; n += 1) {
    const startedMs = performance.now()
    const { stdout } = await run(process.execPath, [join(built, 'src/cli/main.js'), 'fleet', '--server', url])
    tookMs.push(performance.now() - startedMs)
    if (!stdout.includes('1,000') && !stdout.includes('1000'))
      throw new Error(`gone fleet said: ${stdout.slice(0, 200)}`)
  }
  return tookMs
}

/** How long each change took to each listener. */
async function hearChanges(url: string, redis: string): Promise<number[]> {
  const changing = new SimulatedHosts(redis, 10)
  await changing.start()
  const ending = new AbortController()
  const saidAtMs = new Map<string, number>()
  const tookMs: number[] = []
  const listeners = Array.from({ length: LISTENERS }, () =>
    listen(url, ending.signal, (id, state) => {
      const saidMs = saidAtMs.get(`${id} ${state}`)
      if (saidMs !== undefined) tookMs.push(performance.now() - saidMs)
    }),
  )
  await pause(1_000)
  for (let n = 0; n < CHANGES; n += 1) {
    const id = changing.ids[n % changing.ids.length] as string
    const state = changing.modeOf(id) === 'registered' ? 'unregistered' : 'registered'
    saidAtMs.set(`${id} ${state}`, performance.now())
    await changing.change(id)
    await pause(CHANGE_EVERY_MS)
  }
  await pause(2_000)
  ending.abort()
  await Promise.all(listeners)
  await changing.stop()
  if (tookMs.length !== CHANGES * LISTENERS)
    throw new Error(`of ${CHANGES} changes ${LISTENERS} listeners heard ${tookMs.length}`)
  return tookMs
}

async function listen(
  url: string,
  signal: AbortSignal,
  onChange: (id: string, state: string) => void,
): Promise<void> {
  const headers = { accept: 'text/event-stream' }
  const reply = await fetch(`${url}/api/v1/fleet/events`, { headers, signal })
  let rest = ''
  const decoder = new TextDecoder()
  try {
    for await (const chunk of reply.body as unknown as AsyncIterable<Uint8Array>) {
      const events = (rest + decoder.decode(chunk, { stream: true })).split('\n\n')
      rest = events.pop() ?? ''
      for (const event of events) {
        const data = /^data: (.*)$/m.exec(event)?.[1]
        const { id, instance } = JSON.parse(data ?? '{}') as { id?: string; instance?: InstanceJson }
        if (id !== undefined && instance) onChange(id, instance.state)
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

/** Jobs a second with a thousand instances that say that they live, beside those while they do not: the median of neighbouring pairs. */
async function jobsBeside(
  { redis }: { readonly redis: string },
  { pid }: { readonly pid: number },
  say: (line: string) => void,
): Promise<number> {
  const way = ourWay(redis)
  const shares: number[] = []
  let next = 0
  const rate = async () => {
    await submitAll(way, next, JOBS)
    next += JOBS
    return runAll(way, JOBS)
  }
  try {
    say(`fleet: ${JOBS} jobs beside them and alone, ${RUNS} times`)
    for (let turn = 0; turn < RUNS; turn += 1) {
      const beside = await rate()
      process.kill(pid, 'SIGSTOP')
      const alone = await rate()
      process.kill(pid, 'SIGCONT')
      shares.push(beside / alone)
    }
  } finally {
    process.kill(pid, 'SIGCONT')
    await way.stop()
  }
  return median(shares)
}

function spread(valuesMs: readonly number[]) {
  const sorted = Float64Array.from(valuesMs).sort()
  return { p50Ms: quantile(sorted, 0.5), p99Ms: quantile(sorted, 0.99) }
}
