import { performance } from 'node:perf_hooks'
import type { ProcessTotals } from '../service/fleet/work-series.ts'

/** Numbers of this process, each since they were last asked for. */
export interface Usage {
  /** Of a core. */
  readonly cpuPercent: number
  readonly rssBytes: number
  /** The longest that a timer had to wait for the event loop. */
  readonly loopDelayMs: number
}

/** Of this process since its start. */
export function processTotals(): ProcessTotals {
  const { user, system } = process.cpuUsage()
  return { cpuMs: (user + system) / 1_000, rssBytes: process.memoryUsage.rss() }
}

/** Node's own histogram of loop delays misses a block that begins right after its reset. This one has no reset. */
const TICK_MS = 250

export class ProcessUsage {
  private cpu = process.cpuUsage()
  private askedAtMs = performance.now()
  private longestMs = 0
  private dueMs = performance.now() + TICK_MS
  private timer: NodeJS.Timeout

  constructor() {
    this.timer = this.tickLater()
  }

  take(): Usage {
    const nowMs = performance.now()
    const { user, system } = process.cpuUsage(this.cpu)
    const spentMs = (user + system) / 1_000
    const loopDelayMs = Math.max(this.longestMs, nowMs - this.dueMs, 0)
    const cpuPercent = (spentMs / Math.max(1, nowMs - this.askedAtMs)) * 100
    this.cpu = process.cpuUsage()
    this.askedAtMs = nowMs
    this.longestMs = 0
    return {
      cpuPercent: Math.round(cpuPercent * 10) / 10,
      rssBytes: process.memoryUsage.rss(),
      loopDelayMs: Math.round(loopDelayMs),
    }
  }

  stop(): void {
    clearTimeout(this.timer)
  }

  private tickLater(): NodeJS.Timeout {
    this.dueMs = performance.now() + TICK_MS
    return setTimeout(() => {
      this.longestMs = Math.max(this.longestMs, performance.now() - this.dueMs)
      this.timer = this.tickLater()
    }, TICK_MS).unref()
  }
}
