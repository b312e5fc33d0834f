import { Counter, Histogram } from 'prom-client'
import type { CallEnd } from '../../core/rounds/call-end.ts'
import { ERROR_CODES, GoneError } from '../../errors.ts'
import type { Registries } from './registries.ts'

const ENDS = ['completed', 'failed', 'givenUp'] as const
/** `open`: asked to come again. */
const OUTCOMES = [...ENDS, 'open', 'noWorker', 'refused', 'error'] as const

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 600]

/** What this process has answered to calls. No names of workers: there may be ten thousand. */
export class CallMetrics {
  private readonly calls: Counter<'outcome'>
  private readonly durations: Histogram<'outcome'>

  constructor({ own }: Registries) {
    this.calls = new Counter({
      name: 'gone_calls_total',
      help: 'Answers to calls over HTTP by outcome: completed, failed by the handler, givenUp, open (asked to come again), noWorker, refused, error (it could not be told).',
      labelNames: ['outcome'],
      registers: [own],
    })
    this.durations = new Histogram({
      name: 'gone_call_duration_seconds',
      help: 'From when a call was asked over HTTP until its end was answered, by outcome.',
      labelNames: ['outcome'],
      buckets: SECONDS,
      registers: [own],
    })
    // From zero, so that the first one is a rise.
    for (const outcome of OUTCOMES) this.calls.inc({ outcome }, 0)
    for (const outcome of ENDS) this.durations.zero({ outcome })
  }

  /** @param end missing: it goes on */
  answered(end: CallEnd | undefined, seconds: number): void {
    const outcome = outcomeOf(end)
    this.calls.inc({ outcome })
    if (outcome !== 'open') this.durations.observe({ outcome }, seconds)
  }

  notAnswered(error: unknown): void {
    const code = error instanceof GoneError ? error.code : 'INTERNAL'
    const isOurs = ERROR_CODES[code].status >= 500
    this.calls.inc({ outcome: code === 'NO_WORKER' ? 'noWorker' : isOurs ? 'error' : 'refused' })
  }
}

function outcomeOf(end: CallEnd | undefined): (typeof ENDS)[number] | 'open' {
  if (end === undefined) return 'open'
  return end.outcome === 'failed' && end.isGivenUp ? 'givenUp' : end.outcome
}
