import { performance } from 'node:perf_hooks'
import type { RoundListJson } from '../src/core/rounds/round-wire.ts'
import { pause } from '../src/waiting.ts'
import { INSTANCES, pulse } from './console-world.ts'
import { type Figure, quantile } from './figures.ts'
import { processorMs } from './idle.ts'
import type { GoneUnderTest } from './processes.ts'

/** What a page of the fleet asks. */
export const FLEET = ['fleet', 'fleet/instances?limit=100', 'fleet/pools', 'fleet/orders?limit=10']
const ROUNDS = ['rounds?limit=50']

const [VIEWERS, IDLE_VIEWERS] = [20, 200]
const WATCHED_MS = 15_000
const CHANGES = 15
/** As a page does: once when it hears of a change, and again when that has settled. */
const SETTLED_MS = 2_500
const PATIENCE_MS = 30_000

/** What is asked while somebody looks: of whom, about what, and what is done with the answers. */
interface Viewing {
  readonly topic: 'fleet' | 'rounds'
  readonly asks: readonly string[]
  readonly onAnswer?: (text: string) => void
}

/** What viewers cost a server, and how soon they see a change. */
export async function measureViewers(gone: GoneUnderTest, say: (line: string) => void): Promise<Figure[]> {
  say(`console: ${VIEWERS} viewers of the fleet, ${WATCHED_MS / 1_000} s with and without`)
  const without = await spent(gone, 0, true)
  const withThem = await spent(gone, VIEWERS, true)
  say(`console: ${IDLE_VIEWERS} viewers while nothing changes`)
  const still = await spent(gone, 0, false)
  const idle = await spent(gone, IDLE_VIEWERS, false)
  say(`console: ${CHANGES} rounds that ${VIEWERS} viewers see`)
  const seenMs = await changesSeen(gone.url)
  return [
    { name: 'consoleViewers', at: VIEWERS, percent: withThem - without },
    { name: 'consoleIdle', at: IDLE_VIEWERS, percent: idle - still },
    { name: 'consoleChange', at: VIEWERS, p50Ms: quantile(seenMs, 0.5), p99Ms: quantile(seenMs, 0.99) },
  ]
}

/** How much of a core the server takes while so many look at the fleet, and some of it changes each second, or nothing does. */
async function spent({ url, pid }: GoneUnderTest, viewers: number, isChanging: boolean): Promise<number> {
  const over = new AbortController()
  const viewing: Viewing = { topic: 'fleet', asks: FLEET }
  const watching = Array.from({ length: viewers }, () => watch(url, viewing, over.signal))
  const pulses = isChanging ? pulsing(url, over.signal) : undefined
  await pause(SETTLED_MS)
  const [spentMs, startedMs] = [await processorMs(pid), performance.now()]
  await pause(WATCHED_MS)
  const percent = (((await processorMs(pid)) - spentMs) * 100) / (performance.now() - startedMs)
  over.abort()
  await Promise.all([...watching, pulses])
  return percent
}

/** Some change each second, so that pages have something to hear of. */
async function pulsing(url: string, signal: AbortSignal): Promise<void> {
  for (let n = 0; !signal.aborted; n += 1) {
    for (let m = 0; m < 10; m += 1) await pulse(url, (n * 10 + m) % INSTANCES)
    await pause(1_000, signal)
  }
}

/** From the election of each of some rounds until a viewer has it in its rows, in order of size. */
async function changesSeen(url: string): Promise<Float64Array> {
  const over = new AbortController()
  const ledAtMs = new Map<string, number>()
  const tookMs: number[] = []
  const watching = Array.from({ length: VIEWERS }, () => {
    const seen = new Set<string>()
    const onAnswer = (text: string) => {
      for (const { round } of (JSON.parse(text) as RoundListJson).rounds) {
        const ledMs = ledAtMs.get(round)
        if (ledMs === undefined || seen.has(round)) continue
        seen.add(round)
        tookMs.push(performance.now() - ledMs)
      }
    }
    return watch(url, { topic: 'rounds', asks: ROUNDS, onAnswer }, over.signal)
  })
  await pause(SETTLED_MS)
  for (let n = 0; n < CHANGES; n += 1) {
    await fetch(`${url}/api/v1/elect/seen/change-${n}`, { method: 'POST' })
    ledAtMs.set(`change-${n}`, performance.now())
    // Longer than a page waits until it asks again, so that each change is one that it hears of.
    await pause(SETTLED_MS + 1_000)
  }
  const untilMs = performance.now() + PATIENCE_MS
  while (tookMs.length < CHANGES * VIEWERS && performance.now() < untilMs) await pause(100)
  over.abort()
  await Promise.all(watching)
  if (tookMs.length < CHANGES * VIEWERS)
    throw new Error(`console: ${tookMs.length} changes were seen of ${CHANGES * VIEWERS}`)
  return Float64Array.from(tookMs).sort()
}

/** One open page: its stream, and what it asks when it hears of a change. */
async function watch(url: string, { topic, asks, onAnswer }: Viewing, signal: AbortSignal): Promise<void> {
  const stream = await fetch(`${url}/console/stream`, { signal })
  if (stream.body === null) throw new Error('console: the stream has no body')
  let askedAtMs = 0
  try {
    for await (const chunk of stream.body.pipeThrough(new TextDecoderStream())) {
      if (!chunk.includes(`"${topic}"`) || performance.now() - askedAtMs < SETTLED_MS) continue
      askedAtMs = performance.now()
      await Promise.all(asks.map(async (path) => seen(url, path).then((text) => onAnswer?.(text))))
    }
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

/** What a page is answered. */
export async function seen(url: string, path: string): Promise<string> {
  const answer = await fetch(`${url}/console/api/${path}`)
  const text = await answer.text()
  if (!answer.ok) throw new Error(`console: ${path} was answered ${answer.status}`)
  return text
}
