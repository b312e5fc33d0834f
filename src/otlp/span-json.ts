import type { SpanAttributes, SpanStart } from '../core/tracing.ts'

/** A span that has ended. */
export interface EndedSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly kind: SpanStart['kind']
  /** Since 1970, by the clock of this machine. */
  readonly startMs: number
  readonly endMs: number
  readonly attributes: SpanAttributes
  readonly error?: string
}

/** @see https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto */
const KINDS: Readonly<Record<SpanStart['kind'], number>> = {
  internal: 1,
  server: 2,
  producer: 4,
  consumer: 5,
}
const STATUS_ERROR = 2

/** The body of a request that tells of spans: OTLP in JSON. */
export function exportJson(resource: SpanAttributes, version: string, spans: readonly EndedSpan[]): string {
  return JSON.stringify({
    resourceSpans: [
      {
        resource: { attributes: attributesJson(resource) },
        scopeSpans: [{ scope: { name: 'gone', version }, spans: spans.map(spanJson) }],
      },
    ],
  })
}

function spanJson({ kind, startMs, endMs, attributes, error, ...span }: EndedSpan) {
  return {
    ...span,
    kind: KINDS[kind],
    startTimeUnixNano: nanosOf(startMs),
    endTimeUnixNano: nanosOf(Math.max(startMs, endMs)),
    attributes: attributesJson(attributes),
    status: error === undefined ? {} : { code: STATUS_ERROR, message: error },
  }
}

/** A text, because a number of JSON has not so many digits. */
function nanosOf(ms: number): string {
  return String(BigInt(Math.round(ms * 1_000)) * 1_000n)
}

function attributesJson(attributes: SpanAttributes) {
  return Object.entries(attributes).map(([key, value]) => ({ key, value: valueJson(value) }))
}

function valueJson(value: string | number | boolean) {
  if (typeof value === 'string') return { stringValue: value }
  if (typeof value === 'boolean') return { boolValue: value }
  return Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value }
}
