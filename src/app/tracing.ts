import { hostname } from 'node:os'
import type { Config } from '../config.ts'
import { OtlpTracer } from '../otlp/otlp-tracer.ts'
import { VERSION } from '../version.ts'
import type { Ground } from './assembly.ts'

/** What tells of traces, where that is asked for: in what parts are given, because most are asked for none. */
export function tracing({ config, closing, log }: Omit<Ground, 'lines'>): Pick<Ground, 'tracer'> {
  const { traces } = config
  if (traces === undefined) return {}
  const tracer = new OtlpTracer(
    { ...traces, resource: { ...processOf(config), ...traces.resource } },
    VERSION,
    log,
  )
  closing.add('queues', () => tracer.stop())
  log.info({ to: new URL(traces.url).host }, 'traces are told')
  return { tracer }
}

/** @see https://opentelemetry.io/docs/specs/semconv/resource/ */
function processOf({ hostLabel = hostname() }: Config) {
  return {
    'service.name': 'gone',
    'service.version': VERSION,
    'host.name': hostLabel,
    'process.pid': process.pid,
    'telemetry.sdk.name': 'gone',
    'telemetry.sdk.language': 'nodejs',
    'telemetry.sdk.version': VERSION,
  }
}
