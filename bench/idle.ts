import { readFile } from 'node:fs/promises'
import { Redis } from 'ioredis'
import { pause } from '../src/waiting.ts'
import type { Figure } from './figures.ts'
import type { BenchServer, Processes } from './processes.ts'

const SERVERS = 10
/** After a start everything is looked at until it is calm. */
const SETTLED_AFTER_MS = 25_000
const WATCHED_MS = 30_000

/** What servers with nothing to do cost: one, and the work of ten in Redis. */
export async function measureIdle(processes: Processes, say: (line: string) => void): Promise<Figure[]> {
  const gone = await processes.startBuilt()
  const client = new Redis({ path: gone.redis, maxRetriesPerRequest: 1 })
  client.on('error', () => undefined)
  try {
    say('idle: one server')
    await pause(SETTLED_AFTER_MS)
    const one = await watch(client, gone)
    say(`idle: ${SERVERS} servers`)
    for (let n = 1; n < SERVERS; n += 1) await processes.startBuiltReplica(gone)
    await pause(SETTLED_AFTER_MS)
    const ten = await watch(client, gone)
    return [
      { name: 'idleCommands', at: 1, perSecond: one.commandsPerSecond },
      {
        name: 'idleCommands',
        at: SERVERS,
        perSecond: ten.commandsPerSecond,
        ofLimit: ten.commandsPerSecond / one.commandsPerSecond,
      },
      { name: 'idleProcessor', at: 1, percent: one.percent },
      { name: 'idleMemory', at: 1, bytes: one.bytes },
    ]
  } finally {
    client.disconnect()
    await processes.stop()
  }
}

async function watch(client: Redis, { pid }: BenchServer) {
  const monitor = await client.monitor()
  let commands = 0
  // What scripts do inside is not sent by anybody.
  monitor.on('monitor', (_time: string, _command: string[], source: string) => {
    if (source !== 'lua') commands += 1
  })
  const spentMs = await processorMs(pid)
  const startedMs = performance.now()
  await pause(WATCHED_MS)
  const passedMs = performance.now() - startedMs
  monitor.disconnect()
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return {
    commandsPerSecond: (commands * 1_000) / passedMs,
    percent: (((await processorMs(pid)) - spentMs) * 100) / passedMs,
    bytes: Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1_024,
  }
}

/** In the ticks of 10 ms that Linux counts by. */
export async function processorMs(pid: number): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) * 10
}
