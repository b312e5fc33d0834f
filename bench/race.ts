import { performance } from 'node:perf_hooks'
import { type Figure, quantile } from './figures.ts'
import { type Connection, openConnections } from './load.ts'
import type { Processes } from './processes.ts'

const CANDIDATES = 50
const RACES = 150
const WARM_UP_RACES = 200

/** The time until all candidates of a new round are answered, each on its own connection, beside the empty route. */
export async function measureRace(processes: Processes, say: (line: string) => void): Promise<Figure[]> {
  say(`race: ${CANDIDATES} candidates for one round, ${RACES} times`)
  const empty = await openConnections((await processes.startEmpty()).url, CANDIDATES)
  const gone = await openConnections((await processes.startGone()).url, CANDIDATES)
  const raceMs: number[] = []
  const emptyMs: number[] = []
  try {
    for (let race = 0; race < WARM_UP_RACES + RACES; race++) {
      const beside = await askAll(empty, '/')
      const round = await askAll(gone, `/api/v1/elect/bench/race-${race}`)
      checkStatuses(beside.statuses, 0)
      checkStatuses(round.statuses, 1)
      if (race < WARM_UP_RACES) continue
      emptyMs.push(beside.elapsedMs)
      raceMs.push(round.elapsedMs)
    }
  } finally {
    for (const connection of [...empty, ...gone]) connection.close()
    await processes.stop()
  }
  return [
    { name: 'race', at: CANDIDATES, ...quantiles(raceMs) },
    { name: 'emptyRace', at: CANDIDATES, ...quantiles(emptyMs) },
  ]
}

async function askAll(connections: readonly Connection[], path: string) {
  const startedMs = performance.now()
  const statuses = await Promise.all(
    connections.map(
      (connection) =>
        new Promise<number>((resolve, reject) => {
          connection.onFailure = reject
          connection.ask(path, resolve)
        }),
    ),
  )
  return { statuses, elapsedMs: performance.now() - startedMs }
}

function checkStatuses(statuses: readonly number[], leaders: number): void {
  const accepted = statuses.filter((status) => status === 202).length
  const others = statuses.filter((status) => status === 204).length
  if (accepted === leaders && others === statuses.length - leaders) return
  throw new Error(`race: expected ${leaders} times 202 and else 204, got ${statuses.join(' ')}`)
}

function quantiles(values: readonly number[]) {
  const sorted = Float64Array.from(values).sort()
  return { p50Ms: quantile(sorted, 0.5), p99Ms: quantile(sorted, 0.99) }
}
