import { monitorEventLoopDelay } from 'node:perf_hooks'
import { Gauge, type Registry } from 'prom-client'
import type { Calm } from '../../service/calm.ts'

/** As prom-client has it, whose names these are. */
const SAMPLED_EVERY_MS = 10

const LAG = 'nodejs_eventloop_lag_seconds'
const PARTS = ['min', 'max', 'mean', 'stddev', 'p50', 'p90', 'p99'] as const
const ABOUT: Readonly<Record<(typeof PARTS)[number], string>> = {
  min: 'The minimum recorded event loop delay.',
  max: 'The maximum recorded event loop delay.',
  mean: 'The mean of the recorded event loop delays.',
  stddev: 'The standard deviation of the recorded event loop delays.',
  p50: 'The 50th percentile of the recorded event loop delays.',
  p90: 'The 90th percentile of the recorded event loop delays.',
  p99: 'The 99th percentile of the recorded event loop delays.',
}
/** Of several processes the worst, where it is not a mean. */
const AGGREGATORS = { min: 'min', mean: 'average', stddev: 'average' } as const
const aggregatorOf = (part: string) => AGGREGATORS[part as keyof typeof AGGREGATORS] ?? ('max' as const)
const nameOf = (part: string) => `nodejs_eventloop_lag_${part}_seconds`

/**
 * Puts in place of prom-client's samples of the event loop, which wake the process a hundred times a second, the same that rest while
 * it is calm. Then they say 0.
 */
export function collectLoopLag(registry: Registry, calm: Calm): void {
  for (const name of [LAG, ...PARTS.map(nameOf)]) registry.removeSingleMetric(name)
  const histogram = monitorEventLoopDelay({ resolution: SAMPLED_EVERY_MS })
  histogram.enable()
  calm.follow((isCalm) => void (isCalm ? histogram.disable() : histogram.enable()))

  const registers = [registry]
  const gauges = PARTS.map(
    (part) => new Gauge({ name: nameOf(part), help: ABOUT[part], aggregator: aggregatorOf(part), registers }),
  )
  new Gauge({
    name: LAG,
    help: 'Lag of event loop in seconds.',
    aggregator: 'max',
    registers,
    // Of the others too, at once: whoever scrapes waits for none but this.
    async collect() {
      const { min, max, mean, stddev } = histogram
      const percentiles = [50, 90, 99].map((percent) => histogram.percentile(percent))
      const values = histogram.count === 0 ? [] : [min, max, mean, stddev, ...percentiles]
      for (const [index, gauge] of gauges.entries()) gauge.set((values[index] ?? 0) / 1e9)
      histogram.reset()
      const startMs = performance.now()
      await new Promise(setImmediate)
      this.set((performance.now() - startMs) / 1_000)
    },
  })
}
