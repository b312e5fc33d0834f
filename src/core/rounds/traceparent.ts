/** Of the version 00, and what later ones begin with. See https://www.w3.org/TR/trace-context/#traceparent-header */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:$|-)/
/** What is carried: a later version may have more, which nobody here can read. */
const LENGTH = 55

/** The trace that a caller is in, as W3C writes it; undefined where there is none: what is no such text is passed over, as W3C asks. */
export function traceparentIn(value: unknown): string | undefined {
  return typeof value === 'string' && TRACEPARENT.test(value) ? value.slice(0, LENGTH) : undefined
}
