/** Which traces are told. */
export interface Sampling {
  /** As `OTEL_TRACES_SAMPLER` has it. */
  readonly sampler: string
  /** Of all traces, 0 to 1. */
  readonly share: number
}

/** What W3C's flags say of a trace: that it is told. */
const SAMPLED = '01'
const PARENT_BASED = 'parentbased_'

/** A place in a trace. */
export interface TracePlace {
  /** 32 digits of base 16. */
  readonly traceId: string
  /** 16 of them. */
  readonly spanId: string
  readonly isSampled: boolean
}

/** @param traceparent as W3C writes it, of what was looked at before */
export function placeIn(traceparent: string): TracePlace {
  const [, traceId = '', spanId = '', flags = ''] = traceparent.split('-')
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & 1) === 1 }
}

export function traceparentOf({ traceId, spanId, isSampled }: TracePlace): string {
  return `00-${traceId}-${spanId}-${isSampled ? SAMPLED : '00'}`
}

/** Whether a span of this trace is told. */
export function isTold(
  { sampler, share }: Sampling,
  traceId: string,
  parent: Pick<TracePlace, 'isSampled'> | undefined,
): boolean {
  if (parent && sampler.startsWith(PARENT_BASED)) return parent.isSampled
  switch (sampler.replace(PARENT_BASED, '')) {
    case 'always_off':
      return false
    case 'traceidratio':
      // All who sample by the same share choose the same traces: by the half of the id that is random everywhere.
      return Number.parseInt(traceId.slice(-14), 16) < share * 2 ** 56
    default:
      return true
  }
}
