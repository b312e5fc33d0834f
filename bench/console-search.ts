import { performance } from 'node:perf_hooks'
import type { RoundListJson } from '../src/core/rounds/round-wire.ts'
import { pause } from '../src/waiting.ts'
import { type Figure, median, quantile } from './figures.ts'
import type { GoneUnderTest } from './processes.ts'

const SEARCHES = 5
const ELECTED_MS = 5_000
/** Far below what a server can: how long one takes, not how many it takes. */
const ELECT_EVERY_MS = 10

let elected = 0

/** How long a text that is in no name is looked for through all rounds, and how long elections take meanwhile. */
export async function measureSearch(
  { url }: GoneUnderTest,
  rounds: number,
  say: (line: string) => void,
): Promise<Figure[]> {
  say(`console: ${SEARCHES} searches through ${rounds} rounds, beside elections`)
  const idle = await electing(url, (signal) => pause(ELECTED_MS, signal))
  const tookMs: number[] = []
  const beside = await electing(url, async () => {
    const untilMs = performance.now() + ELECTED_MS
    while (tookMs.length < SEARCHES || performance.now() < untilMs) tookMs.push(await search(url, rounds))
  })
  return [
    { name: 'consoleSearch', at: rounds, seconds: median(tookMs) / 1_000 },
    {
      name: 'consoleElections',
      at: rounds,
      p50Ms: quantile(beside, 0.5),
      p99Ms: quantile(beside, 0.99),
      ofLimit: quantile(beside, 0.99) / quantile(idle, 0.99),
    },
  ]
}

/** As the page does: it asks on until there is no more. */
async function search(url: string, rounds: number): Promise<number> {
  const startMs = performance.now()
  let [looked, cursor] = [0, '']
  do {
    const answer = await fetch(`${url}/console/api/rounds?q=nothing-like-it&limit=50${cursor}`)
    if (!answer.ok) throw new Error(`console: a search was answered ${answer.status}`)
    const page = (await answer.json()) as RoundListJson
    looked += page.looked?.entries ?? 0
    cursor = page.next === undefined ? '' : `&cursor=${page.next}`
  } while (cursor !== '')
  if (looked < rounds) throw new Error(`console: a search looked at ${looked} of ${rounds} rounds`)
  return performance.now() - startMs
}

/** Elects one after the other while that goes on; how long each took, in order of size. */
async function electing(
  url: string,
  meanwhile: (signal: AbortSignal) => Promise<unknown>,
): Promise<Float64Array> {
  const over = new AbortController()
  const latencies: number[] = []
  const elect = async () => {
    while (!over.signal.aborted) {
      const startMs = performance.now()
      elected += 1
      const answer = await fetch(`${url}/api/v1/elect/searched/${elected}`, { method: 'POST' })
      await answer.arrayBuffer()
      if (answer.status !== 202) throw new Error(`console: an election was answered ${answer.status}`)
      latencies.push(performance.now() - startMs)
      await pause(ELECT_EVERY_MS, over.signal)
    }
  }
  const running = elect()
  await meanwhile(over.signal).finally(() => over.abort())
  await running
  return Float64Array.from(latencies).sort()
}
