import type { Submission } from '../../core/rounds/job.ts'
import { type RoundId, roundKey } from '../../core/rounds/round.ts'
import type { Span, SpanAttributes, SpanEnd, Tracer } from '../../core/tracing.ts'
import type { AttemptEnd } from './job-record.ts'

/** What is said of every span of a submitted round. `messaging` is what other tools draw queues by. */
function attributesOf({ system, round }: RoundId, worker: string): SpanAttributes {
  return {
    'gone.system': system,
    'gone.round': round,
    'messaging.system': 'gone',
    'messaging.destination.name': worker,
  }
}

/** A submission within the trace of whoever submits, and what of it goes with the job: that it was made. */
export function submissionSpan(
  tracer: Tracer,
  id: RoundId,
  submission: Submission,
): { readonly span: Span; readonly traced: Submission } {
  const { queue, queueTerms } = submission
  const { traceparent: parent } = queueTerms
  const span = tracer.start({
    name: `submit ${queue}`,
    kind: 'producer',
    ...(parent !== undefined && { parent }),
    attributes: attributesOf(id, queue),
  })
  const traced = { ...submission, queueTerms: { ...queueTerms, traceparent: span.traceparent } }
  return { span, traced }
}

export interface AttemptTrace {
  readonly id: RoundId
  readonly worker: string
  /** From 1. */
  readonly attempt: number
  /** Of the submission. */
  readonly parent?: string
  /** How long the job could have been started before it was. */
  readonly waitedMs: number
}

/** How long a job waited in its queue. Of a later attempt nobody knows: it waited for its backoff. */
export function waitSpan(tracer: Tracer, { id, worker, attempt, parent, waitedMs }: AttemptTrace): void {
  if (attempt > 1) return
  const attributes = attributesOf(id, worker)
  const start = { name: `wait ${worker}`, kind: 'internal', attributes, agoMs: waitedMs } as const
  tracer.start({ ...start, ...(parent !== undefined && { parent }) }).end()
}

/** An attempt that somebody makes who speaks HTTP alone. */
export interface TakenTrace extends Pick<AttemptTrace, 'id' | 'worker' | 'attempt' | 'parent'> {
  readonly fence: number
  /** What proves in whose hand the job is. */
  readonly value: string
}

/**
 * How long a job is in the hand of whoever took it. One server hands it out and another may take the report: each knows the
 * span by what the record holds.
 */
export function takenSpan(tracer: Tracer, about: TakenTrace, agoMs = 0): Span {
  const { id, worker, attempt, parent, fence, value } = about
  return tracer.start({
    name: `run ${worker}`,
    kind: 'consumer',
    ...(parent !== undefined && { parent }),
    key: `${roundKey(id)} ${fence} ${value}`,
    attributes: { ...attributesOf(id, worker), 'gone.attempt': attempt, 'gone.fence': fence },
    agoMs,
  })
}

/** What is told of how an attempt has ended. */
export function toldOfEnd(end: AttemptEnd): SpanEnd {
  return { attributes: { 'gone.outcome': end.kind }, ...(end.kind === 'failed' && { error: end.reason }) }
}

/** The spans of one attempt: how long its job waited, its handler ran, and its end took to be recorded. */
export class AttemptSpans {
  private run: Span | undefined
  private ranUntilMs: number | undefined

  constructor(
    private readonly tracer: Tracer,
    private readonly about: AttemptTrace,
  ) {}

  /** @returns what begins within the handler is part of this */
  began(fence: number): string {
    const { tracer, about } = this
    const { id, worker, attempt, parent } = about
    waitSpan(tracer, about)
    this.run = tracer.start({
      name: `run ${worker}`,
      kind: 'consumer',
      ...(parent !== undefined && { parent }),
      attributes: { ...attributesOf(id, worker), 'gone.attempt': attempt, 'gone.fence': fence },
    })
    return this.run.traceparent
  }

  handled(): void {
    this.ranUntilMs = performance.now()
  }

  ended(end: AttemptEnd): void {
    const { run, tracer, about } = this
    if (run === undefined) return
    const agoMs = this.ranUntilMs === undefined ? 0 : performance.now() - this.ranUntilMs
    const isOver = end.kind === 'completed' || (end.kind === 'failed' && end.isFinal)
    if (isOver) {
      const attributes = { ...attributesOf(about.id, about.worker), 'gone.outcome': end.kind }
      const name = `complete ${about.worker}`
      tracer.start({ name, kind: 'internal', parent: run.traceparent, attributes, agoMs }).end()
    }
    run.end({ ...toldOfEnd(end), agoMs })
  }
}
