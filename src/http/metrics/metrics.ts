import { collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import type { Calm } from '../../service/calm.ts'
import { type AlertMetricsParts, collectAlerts } from './alert-metrics.ts'
import { Durations } from './durations.ts'
import { collectFleet, type FleetMetricsParts } from './fleet-metrics.ts'
import { collectLoopLag } from './loop-lag.ts'
import { RoundMetrics, type RoundMetricsParts } from './round-metrics.ts'
import { collectSchedules, type ScheduleMetricsParts } from './schedule-metrics.ts'
import { collectStore, type StoreMetricsParts } from './store-metrics.ts'

export interface MetricsParts
  extends RoundMetricsParts,
    ScheduleMetricsParts,
    AlertMetricsParts,
    StoreMetricsParts,
    FleetMetricsParts {
  readonly calm: Calm
}

/** What Prometheus can ask of this process, and of the rounds that all processes share. */
export class Metrics {
  readonly registry = new Registry()
  readonly rounds: RoundMetrics
  private readonly durations: Durations

  constructor(parts: MetricsParts, version: string) {
    const { registry } = this
    collectProcess(registry, version, parts.calm)
    this.rounds = new RoundMetrics(registry, parts)
    this.durations = new Durations().register(registry)
    collectStore(registry, parts)
    collectAlerts(registry, parts)
    collectSchedules(registry, parts)
    collectFleet(registry, parts)
  }

  /** The function to call with the seconds that an answer on this route took. */
  timer(route: string): (seconds: number) => void {
    return this.durations.timer(route)
  }
}

/** prom-client's own samples of the event loop can be made rare, and not be left out. */
const NEVER_MS = 2 ** 31 - 1

/** Gauges that are named as counters, which tools complain of; the same without `_total` is there by type. */
const MISNAMED = ['handles', 'requests', 'resources'].map((what) => `nodejs_active_${what}_total`)

/** Of the process itself, under the names that dashboards for any Node process know. */
function collectProcess(registry: Registry, version: string, calm: Calm): void {
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: NEVER_MS })
  collectLoopLag(registry, calm)
  for (const name of MISNAMED) registry.removeSingleMetric(name)
  new Gauge({
    name: 'gone_build_info',
    help: 'Always 1; what runs here.',
    labelNames: ['version', 'node'],
    registers: [registry],
  }).set({ version, node: process.versions.node }, 1)
}
