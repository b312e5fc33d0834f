/** What is said of a span, as OpenTelemetry names it. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean>>

export interface SpanStart {
  /** One of few, such as `run mailer`: what is particular is in the attributes. */
  readonly name: string
  readonly kind: 'internal' | 'server' | 'producer' | 'consumer'
  /** What it is part of, as W3C writes it; missing: it begins a trace. */
  readonly parent?: string
  readonly attributes?: SpanAttributes
  /** What makes it the same span wherever it is started; missing: it is a new one. */
  readonly key?: string
  /** How long ago it began; missing: now. */
  readonly agoMs?: number
}

export interface SpanEnd {
  readonly attributes?: SpanAttributes
  /** What went wrong; missing: nothing. */
  readonly error?: string
  /** How long ago it ended; missing: now. */
  readonly agoMs?: number
}

/** Something that takes a time, in a trace. */
export interface Span {
  /** What begins within it is part of this, as W3C writes it. */
  readonly traceparent: string
  /** Told once; what is told later is not. */
  end(how?: SpanEnd): void
}

/** Tells of spans. It never fails, and nobody waits for it. */
export interface Tracer {
  start(start: SpanStart): Span
}
