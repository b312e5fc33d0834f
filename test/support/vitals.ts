import { readFile } from 'node:fs/promises'
import { send } from './requests.ts'

export interface Vitals {
  /** Of `/healthz`, asked ten times a second meanwhile; ms. */
  readonly p50Ms: number
  readonly p99Ms: number
  readonly asked: number
  /** From the second fifth of the time, when caches are warm, to the last; undefined where the system does not tell. */
  readonly grownMb: number | undefined
}

const ASK_EVERY_MS = 100

/** Watches how a server does from outside, until told to stop. */
export function watchVitals(url: string, pid: number | undefined): { stop(): Promise<Vitals> } {
  const tookMs: number[] = []
  const rssMb: number[] = []
  let isStopping = false
  const watching = (async () => {
    while (!isStopping) {
      const { tookMs: ms } = await send(url, { path: '/healthz' })
      tookMs.push(ms)
      const rss = await rssOf(pid)
      if (rss !== undefined) rssMb.push(rss)
      await new Promise((resolve) => setTimeout(resolve, ASK_EVERY_MS))
    }
  })()
  return {
    async stop() {
      isStopping = true
      await watching
      const fifth = Math.floor(rssMb.length / 5)
      const [early, late] = [rssMb.slice(fifth, 2 * fifth), rssMb.slice(-fifth)]
      return {
        p50Ms: quantile(tookMs, 0.5),
        p99Ms: quantile(tookMs, 0.99),
        asked: tookMs.length,
        grownMb: fifth > 0 ? quantile(late, 0.5) - quantile(early, 0.5) : undefined,
      }
    },
  }
}

async function rssOf(pid: number | undefined): Promise<number | undefined> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  const kb = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]
  return kb === undefined ? undefined : Number(kb) / 1_024
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0
}
