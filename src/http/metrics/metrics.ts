import { AggregatorRegistry, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import type { MetricJson, Siblings } from '../../core/siblings.ts'
import { GoneError } from '../../errors.ts'
import type { Calm } from '../../service/calm.ts'
import { type AlertMetricsParts, collectAlerts } from './alert-metrics.ts'
import { CallMetrics } from './call-metrics.ts'
import { Durations } from './durations.ts'
import { collectFleet, type FleetMetricsParts } from './fleet-metrics.ts'
import { collectLoopLag } from './loop-lag.ts'
import type { Registries } from './registries.ts'
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

/** What Prometheus can ask of this server, and of the rounds that all servers share. */
export class Metrics {
  readonly contentType = Registry.PROMETHEUS_CONTENT_TYPE
  readonly rounds: RoundMetrics
  readonly calls: CallMetrics
  private readonly registries: Registries = { own: new Registry(), shared: new Registry() }
  private readonly durations: Durations

  /** @param siblings where several processes are this server: what they have counted is added up */
  constructor(
    parts: MetricsParts,
    version: string,
    private readonly siblings?: Siblings,
  ) {
    const { registries } = this
    const { own } = registries
    collectProcess(own, version, parts.calm)
    this.rounds = new RoundMetrics(registries, parts)
    this.calls = new CallMetrics(registries)
    this.durations = new Durations().register(own)
    collectStore(own, parts)
    collectAlerts(registries, parts)
    collectSchedules(registries, parts)
    collectFleet(registries.shared, parts)
    siblings?.countBy(async () => (await own.getMetricsAsJSON()) as unknown as MetricJson[])
  }

  /** In the text format of Prometheus. @throws GoneError `INTERNAL` where the other processes could not be asked */
  async text(): Promise<string> {
    const texts = await Promise.all([this.counted(), this.registries.shared.metrics()])
    return texts.join('')
  }

  private async counted(): Promise<string> {
    if (this.siblings === undefined) return this.registries.own.metrics()
    const counts = await this.siblings.counts().catch((cause: unknown) => {
      // A part of the sum would be taken for a start at zero.
      throw new GoneError('INTERNAL', 'the other processes of this server were not heard; safe to retry', {
        cause,
      })
    })
    return AggregatorRegistry.aggregate(counts.map((one) => [...one])).metrics()
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
  // Of several processes the first that was there is when the server was.
  Object.assign(registry.getSingleMetric('process_start_time_seconds') ?? {}, { aggregator: 'min' })
  new Gauge({
    name: 'gone_build_info',
    help: 'Always 1; what runs here.',
    labelNames: ['version', 'node'],
    aggregator: 'first',
    registers: [registry],
  }).set({ version, node: process.versions.node }, 1)
}
