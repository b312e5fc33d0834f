import { readFile } from 'node:fs/promises'
import { type Figure, median, perSecond } from './figures.ts'
import { load } from './load.ts'
import type { BenchServer, Processes } from './processes.ts'

const PROCESSES = 2
const CONNECTIONS = 32
/** Short runs in turns: neighbours share the machine's noise. */
const REPETITIONS = 9
const KNOWN_ROUNDS = 1_000
/** Until each process has heard of each round. */
const WARM_UP_MS = 2_000

/** What a server of several processes does beside one of one, with a Redis of its own each, on the cores that all of them share with the load. */
export async function measureSpread(
  processes: Processes,
  seconds: number,
  say: (line: string) => void,
): Promise<Figure[]> {
  say(`spread: one process, and ${PROCESSES}`)
  const one = await processes.startBuilt()
  const many = await processes.startBuilt(PROCESSES)
  const runMs = (seconds * 1_000) / REPETITIONS
  try {
    for (const server of [one, many]) {
      await leadKnown(server)
      await winners(server, WARM_UP_MS)
      await losers(server, WARM_UP_MS)
    }
    const figures: Figure[] = []
    for (const [name, run] of [
      ['spreadWinners', winners],
      ['spreadLosers', losers],
    ] as const) {
      const rates: number[] = []
      const shares: number[] = []
      for (let repetition = 0; repetition < REPETITIONS; repetition++) {
        const before = repetition % 2 === 1 ? await run(many, runMs) : undefined
        const beside = await run(one, runMs)
        const rate = before ?? (await run(many, runMs))
        rates.push(rate)
        shares.push(rate / beside)
      }
      figures.push({ name, at: CONNECTIONS, perSecond: median(rates), ofLimit: median(shares) })
    }
    const [bytes, besideBytes] = [await treeBytes(many.pid), await treeBytes(one.pid)]
    return [...figures, { name: 'spreadMemory', at: PROCESSES, bytes, ofLimit: bytes / besideBytes }]
  } finally {
    await processes.stop()
  }
}

let led = 0

async function winners({ url }: BenchServer, durationMs: number): Promise<number> {
  const nextPath = () => `/api/v1/elect/spread/new-${led++}`
  return perSecond(await load({ url, connections: CONNECTIONS, durationMs, status: 202, nextPath }))
}

const knownPath = (round: number) => `/api/v1/elect/spread/known-${round % KNOWN_ROUNDS}`

async function leadKnown({ url }: BenchServer): Promise<void> {
  let asked = 0
  const nextPath = () => (asked < KNOWN_ROUNDS ? knownPath(asked++) : undefined)
  await load({ url, connections: 1, durationMs: Number.POSITIVE_INFINITY, status: 202, nextPath })
}

async function losers({ url }: BenchServer, durationMs: number): Promise<number> {
  let asked = 0
  const nextPath = () => knownPath(asked++)
  return perSecond(await load({ url, connections: CONNECTIONS, durationMs, status: 204, nextPath }))
}

/** What a process has in memory and what it has started, but for Redis. */
async function treeBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  if (/^Name:\s+(?:redis|valkey)/m.test(status)) return 0
  const children = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).split(' ').filter(Boolean)
  const own = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1_024
  const others = await Promise.all(children.map((child) => treeBytes(Number(child))))
  return others.reduce((sum, bytes) => sum + bytes, own)
}
