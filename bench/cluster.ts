import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { startCluster, type TestCluster } from '../test/support/cluster.ts'
import type { Figure } from './figures.ts'
import { load } from './load.ts'
import type { Processes } from './processes.ts'

const SYSTEMS = 100
/** So many of the systems have a worker of their name, which runs what is submitted to them. */
const WORKERS = 20
const CONNECTIONS = 16
const WARM_UP_MS = 2_000

/** How the work of a server and twenty workers is shared by the nodes of a Cluster of three: of two requests one elects, and one submits a job. */
export async function measureCluster(
  processes: Processes,
  seconds: number,
  say: (line: string) => void,
): Promise<Figure[]> {
  say(`cluster: three nodes, ${SYSTEMS} systems, ${WORKERS} workers`)
  const folder = await mkdtemp(join(tmpdir(), 'gone-bench-workers-'))
  const cluster = await startCluster()
  try {
    for (const name of names(WORKERS)) await writeFile(join(folder, `${name}.mjs`), WORKER)
    const { url: redis } = cluster.redis
    const server = await processes.startReplica({ redis })
    await processes.startWorker({ redis }, folder)
    const run = (durationMs: number) =>
      load({ url: server.url, connections: CONNECTIONS, method: 'POST', status: 202, durationMs, nextPath })
    await run(WARM_UP_MS)
    const before = await spentOf(cluster)
    await run(seconds * 1_000)
    return sharesOf(before, await spentOf(cluster))
  } finally {
    await processes.stop()
    await cluster.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

const WORKER = 'export default { options: { concurrency: 4 }, handler: async () => undefined }\n'

const names = (count: number) => Array.from({ length: count }, (_, n) => `system-${n}`)

let asked = 0

function nextPath(): string {
  asked += 1
  const turn = Math.floor(asked / 2)
  return asked % 2 === 0
    ? `/api/v1/elect/system-${turn % SYSTEMS}/led-${asked}`
    : `/api/v1/submit/system-${turn % WORKERS}/job-${asked}`
}

interface Spent {
  readonly atMs: number
  readonly commands: number
  readonly processorMs: number
}

/** What each node has done since it started, by its own count; commands of scripts included. */
function spentOf({ nodes }: TestCluster): Promise<readonly Spent[]> {
  return Promise.all(
    nodes.map(async ({ port }) => {
      const client = new Redis(port)
      try {
        const info = `${await client.info('stats')}\n${await client.info('cpu')}`
        const numberOf = (name: string) => Number(new RegExp(`^${name}:(\\S+)`, 'm').exec(info)?.[1])
        const seconds = numberOf('used_cpu_user') + numberOf('used_cpu_sys')
        return {
          atMs: performance.now(),
          commands: numberOf('total_commands_processed'),
          processorMs: seconds * 1_000,
        }
      } finally {
        client.disconnect()
      }
    }),
  )
}

function sharesOf(before: readonly Spent[], after: readonly Spent[]): Figure[] {
  const spent = after.map((one, at) => {
    const { atMs, commands, processorMs } = before[at] as Spent
    return {
      ms: one.atMs - atMs,
      commands: one.commands - commands,
      processorMs: one.processorMs - processorMs,
    }
  })
  const all = { commands: sumOf(spent, 'commands'), processorMs: sumOf(spent, 'processorMs') }
  const commands = spent.map((node, at) => ({
    name: 'clusterCommands' as const,
    at: at + 1,
    perSecond: (node.commands * 1_000) / node.ms,
    ofLimit: node.commands / all.commands,
  }))
  const processor = spent.map((node, at) => ({
    name: 'clusterProcessor' as const,
    at: at + 1,
    percent: (node.processorMs * 100) / node.ms,
    ofLimit: node.processorMs / all.processorMs,
  }))
  return [...commands, ...processor]
}

function sumOf<Name extends string>(nodes: readonly Readonly<Record<Name, number>>[], name: Name): number {
  return nodes.reduce((sum, node) => sum + node[name], 0)
}
