import { createHash, randomBytes } from 'node:crypto'
import type { Log } from '../core/rounds/round-ports.ts'
import { traceparentIn } from '../core/rounds/traceparent.ts'
import type { Span, SpanAttributes, SpanEnd, SpanStart, Tracer } from '../core/tracing.ts'
import { isTold, placeIn, type Sampling, type TracePlace, traceparentOf } from './sampling.ts'
import { SpanExport } from './span-export.ts'
import { type EndedSpan, exportJson } from './span-json.ts'

/** Where traces go, and which. */
export interface TraceTerms extends Sampling {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** How long spans wait at most before they are told. */
  readonly everyMs: number
  /** What is said of this process. */
  readonly resource: SpanAttributes
}

/** How much of what went wrong is told. */
const MAX_ERROR_CHARACTERS = 1_000
const CLOCKS_APART_MS = 1_000

/** Tells of spans by OTLP over HTTP, in JSON. */
export class OtlpTracer implements Tracer {
  private readonly told: SpanExport<EndedSpan>
  private originMs = performance.timeOrigin

  constructor(
    private readonly terms: TraceTerms,
    version: string,
    log: Log,
  ) {
    const { url, headers, everyMs, resource } = terms
    this.told = new SpanExport({
      url,
      headers,
      everyMs,
      bodyOf: (spans) => exportJson(resource, version, spans),
      log,
    })
  }

  start({ parent, key, ...start }: SpanStart): Span {
    const known = traceparentIn(parent)
    const above = known === undefined ? undefined : placeIn(known)
    const own = key === undefined ? newIds() : idsOf(key)
    const traceId = above?.traceId ?? own.traceId
    const place = { traceId, spanId: own.spanId, isSampled: isTold(this.terms, traceId, above) }
    if (place.isSampled) return this.begin(start, place, above)
    return { traceparent: traceparentOf({ ...place, ...above, isSampled: false }), end: () => undefined }
  }

  /** Tells of what has ended, for a second at the most. */
  stop(): Promise<void> {
    return this.told.stop()
  }

  /** By the clock that nobody sets, in parts of a millisecond, as far as that is not far from the one that is set. */
  private nowMs(): number {
    const ms = this.originMs + performance.now()
    const apartMs = Date.now() - ms
    if (Math.abs(apartMs) < CLOCKS_APART_MS) return ms
    this.originMs += apartMs
    return ms + apartMs
  }

  private begin(start: SpanStart, place: TracePlace, above: TracePlace | undefined): Span {
    const { name, kind, attributes, agoMs = 0 } = start
    const [startMs, beganMs] = [this.nowMs() - agoMs, performance.now() - agoMs]
    let hasEnded = false
    return {
      traceparent: traceparentOf(place),
      end: ({ attributes: more, error, agoMs: endAgoMs = 0 }: SpanEnd = {}) => {
        if (hasEnded) return
        hasEnded = true
        this.told.add({
          traceId: place.traceId,
          spanId: place.spanId,
          ...(above && { parentSpanId: above.spanId }),
          name,
          kind,
          startMs,
          endMs: startMs + performance.now() - endAgoMs - beganMs,
          attributes: { ...attributes, ...more },
          ...(error !== undefined && { error: error.slice(0, MAX_ERROR_CHARACTERS) }),
        })
      },
    }
  }
}

type Ids = Pick<TracePlace, 'traceId' | 'spanId'>

/** W3C takes none that is all zeros; so does chance. */
function newIds(): Ids {
  return { traceId: randomBytes(16).toString('hex'), spanId: randomBytes(8).toString('hex') }
}

function idsOf(key: string): Ids {
  const digest = createHash('sha256').update(key).digest('hex')
  return { traceId: digest.slice(0, 32), spanId: digest.slice(32, 48) }
}
